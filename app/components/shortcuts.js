// Letters that open views. data: { letter: path }, where "" is the landing page. Follows the link of the view's menu, so that
// the page changes as by a click (Streamlit's switch_page refuses to work beside widgets that are bound to the URL).
function opened(path) {
  const here = (link) => new URL(link.href).pathname.replace(/\/$/, "").split("/").pop();
  const links = [...document.querySelectorAll('[data-testid="stTopNavLink"], [data-testid="stSidebarNavLink"]')];
  const known = links.map(here);
  // The landing page's link ends in the folder that serves the app, which no other view's does.
  const link = links[known.indexOf(path)] ?? (path === "" ? links[0] : undefined);
  link?.click();
}

export default mounted(() => {
  let stop = () => {};
  return {
    update(paths) {
      stop();
      stop = keys(Object.fromEntries(Object.entries(paths).map(([letter, path]) => [letter, () => opened(path)])));
    },
    destroy: () => stop(),
  };
});
