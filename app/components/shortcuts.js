// Letters that open views. data: { letter: title }. Reports { letter }.
export default mounted((root, send, data) => {
  let stop = () => {};
  return {
    update(titles) {
      stop();
      stop = keys(Object.fromEntries(Object.keys(titles).map((letter) => [letter, () => send("letter", letter)])));
    },
    destroy: () => stop(),
  };
});
