// Letters that open views. data: { letter: path }, where "" is the landing page. Follows the link of the view's menu, so that
// the page changes as by a click (Streamlit's switch_page refuses to work beside widgets that are bound to the URL).
const tail = (path) => path.replace(/\/$/, "").split("/").pop();

function opened(path, paths) {
  const links = [...document.querySelectorAll('[data-testid="stTopNavLink"], [data-testid="stSidebarNavLink"]')];
  const isTo = (link) => (path === "" ? !paths.includes(tail(new URL(link.href).pathname) || "/") : tail(new URL(link.href).pathname) === path);
  const link = links.find(isTo);
  if (link) return link.click();
  // An embedded page has no menu: go to the address as the browser's own history does.
  const here = location.pathname;
  const folder = paths.includes(tail(here)) && tail(here) ? here.slice(0, here.lastIndexOf(tail(here))) : here.replace(/\/?$/, "/");
  history.pushState({}, "", folder + path + location.search);
  return window.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

export default mounted((root) => {
  let stop = () => {};
  return {
    update(paths) {
      stop();
      stop = keys(Object.fromEntries(Object.entries(paths).map(([letter, path]) => [letter, () => opened(path, Object.values(paths))])));
      styled(root).dataset.live = "true"; // for who wants to press one by a program
    },
    destroy: () => stop(),
  };
});
