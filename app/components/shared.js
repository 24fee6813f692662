// Shared by all components; put before each one's script, so nothing here is exported or imported.
//
//   mounted(create)             default export of a component: one instance per place, updated on every run
//   theme(element)              colours of the current theme, classes and layers by their number, and whether it is dark
//   whenThemeChanges(el, call)  call() after a switch between light and dark; returns a function that stops it
//   fitted(canvas, draw)        keeps the canvas sharp at any size and density; .redraw() paints again, .stop() ends it
//   rgbOf(colour)               [red, green, blue] of any CSS colour
//   viridis(t)                  a perceptually uniform sequence for t in 0..1
//   number(x, digits)           a number with a real minus sign; digits are significant ones
//   fixed(x, decimals)          the same with so many decimals
//   keys(handlers)              document-wide shortcuts, silent while something is typed; returns a function that stops it
//   reducedMotion()             whether the user asked for stillness
//   frames(step)                .start() calls step(seconds since the last frame) until it returns false; .stop()
//   throttled(call, ms)         at most one call every ms, always the last one; .flush()
//   canvasSurface(context), svgSurface(width, height)   one way to draw, two ways to keep it
//   saved(name, type, content), savedPng(...), savedSvg(...)   downloads
//   setText(element, text)      changes its text if it is another one
//   playIcon(playing)           the path of a play or pause sign, 16 × 16

// Nine points of Matplotlib's viridis (van der Walt and Smith), linear in between.
const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99],
  [170, 220, 50], [253, 231, 37],
];

function viridis(t) {
  const place = Math.min(Math.max(t, 0), 1) * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const mix = VIRIDIS[i].map((a, c) => Math.round(a + (VIRIDIS[i + 1][c] - a) * (place - i)));
  return `rgb(${mix.join(",")})`;
}

function rgbOf(colour) {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

function mounted(create) {
  const instances = new WeakMap();
  return function (component) {
    const root = component.parentElement;
    let instance = instances.get(root);
    if (!instance) {
      instance = create(root, (name, value) => instance.send(name, value), component.data);
      instances.set(root, instance);
    }
    instance.send = component.setTriggerValue;
    instance.update?.(component.data);
    // Streamlit also calls this when two runs follow so closely that the first call was overtaken. The instance is gone only
    // when its place is.
    return () =>
      setTimeout(() => {
        if (styled(root).isConnected || instances.get(root) !== instance) return;
        instances.delete(root);
        instance.destroy?.();
      });
  };
}

// The element of a component whose style carries the theme's variables.
function styled(element) {
  return element instanceof ShadowRoot ? element.host : element;
}

function theme(element) {
  const style = getComputedStyle(styled(element));
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const background = read("--st-background-color", "#ffffff");
  const dark = luminance(background) < 0.4;
  return {
    dark,
    background,
    panel: read("--st-secondary-background-color", dark ? "#20252a" : "#f2f4f6"),
    text: read("--st-text-color", dark ? "#f0f2f4" : "#1b1f24"),
    border: read("--st-border-color", dark ? "#454d55" : "#c9d0d6"),
    primary: read("--st-primary-color", dark ? "#56B4E9" : "#0072B2"),
    font: read("--st-font", "sans-serif"),
    positive: dark ? "#F0A02B" : "#D97300",
    negative: dark ? "#56B4E9" : "#0072B2",
    classes: classColours(dark),
    layers: layerColours(dark),
  };
}

function luminance(colour) {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

function whenThemeChanges(element, call) {
  let last = theme(element).background;
  const look = () => {
    const now = theme(element).background;
    if (now !== last) {
      last = now;
      call();
    }
  };
  const observer = new MutationObserver(look);
  for (let node = styled(element); node; node = node.parentElement) {
    observer.observe(node, { attributes: true, attributeFilter: ["style", "class"] });
  }
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", look);
  return () => {
    observer.disconnect();
    media.removeEventListener("change", look);
  };
}

function fitted(canvas, draw) {
  const context = canvas.getContext("2d");
  function redraw() {
    const { width, height } = canvas.getBoundingClientRect();
    if (!width || !height) return;
    const density = Math.min(window.devicePixelRatio || 1, 3);
    const wide = Math.round(width * density);
    const high = Math.round(height * density);
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  }
  const observer = new ResizeObserver(redraw);
  observer.observe(canvas);
  return { redraw, stop: () => observer.disconnect() };
}

function number(x, digits = 3) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  const text = size !== 0 && (size >= 1e6 || size < 1e-4) ? x.toExponential(digits - 1) : String(+x.toPrecision(digits));
  return text.replaceAll("-", "−");
}

function fixed(x, decimals) {
  const text = x.toFixed(decimals);
  return (Number(text) === 0 ? text.replace("-", "") : text).replaceAll("-", "−");
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const playIcon = (playing) => (playing ? "M3 2h4v12H3zM9 2h4v12H9z" : "M3 2l11 6-11 6z");

function isTyping(event) {
  const element = event.composedPath()[0];
  if (!(element instanceof Element)) return false;
  return element.isContentEditable || Boolean(element.closest("input, textarea, select, [role=combobox], [role=slider]"));
}

// handlers: { "ArrowLeft": call, " ": call, ... }; a call that returns false leaves the key to the browser.
function keys(handlers) {
  const press = (event) => {
    const call = handlers[event.key] ?? handlers[event.key.toLowerCase()];
    if (!call || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event)) return;
    const element = event.composedPath()[0];
    if (event.key === " " && element instanceof Element && element.closest("button, a, summary, [role=radio], label")) return;
    if (event.key.startsWith("Arrow") && element instanceof Element && element.closest("[role^=radio], [role^=tab]")) return;
    if (call(event) !== false) event.preventDefault();
  };
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}

function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function frames(step) {
  let request = 0;
  let last = 0;
  function tick(now) {
    const seconds = last ? Math.min((now - last) / 1000, 0.1) : 1 / 60;
    last = now;
    request = step(seconds) === false ? 0 : requestAnimationFrame(tick);
  }
  return {
    start() {
      if (request) return;
      last = 0;
      request = requestAnimationFrame(tick);
    },
    stop() {
      cancelAnimationFrame(request);
      request = 0;
    },
  };
}

function throttled(call, ms) {
  let timer = 0;
  let waiting = null;
  let last = -Infinity;
  function run() {
    timer = 0;
    if (!waiting) return;
    const values = waiting;
    waiting = null;
    last = performance.now();
    call(...values);
  }
  const limited = (...values) => {
    waiting = values;
    if (!timer) timer = setTimeout(run, Math.max(0, last + ms - performance.now()));
  };
  limited.flush = () => {
    clearTimeout(timer);
    run();
  };
  return limited;
}

// A surface draws rectangles, lines, polygons, circles and text. Options: fill, stroke, width, alpha, dash, radius;
// for text: size, align (start, middle, end), weight, italic, fill, alpha.
function canvasSurface(context, font = "sans-serif") {
  function paint(o, path) {
    context.save();
    context.globalAlpha = o.alpha ?? 1;
    context.beginPath();
    path();
    if (o.fill) {
      context.fillStyle = o.fill;
      context.fill();
    }
    if (o.stroke) {
      context.strokeStyle = o.stroke;
      context.lineWidth = o.width ?? 1;
      context.setLineDash(o.dash ?? []);
      context.stroke();
    }
    context.restore();
  }
  return {
    rect: (x, y, w, h, o) => paint(o, () => (o.radius ? context.roundRect(x, y, w, h, o.radius) : context.rect(x, y, w, h))),
    circle: (x, y, r, o) => paint(o, () => context.arc(x, y, r, 0, 2 * Math.PI)),
    line: (x1, y1, x2, y2, o) => paint(o, () => (context.moveTo(x1, y1), context.lineTo(x2, y2))),
    polygon: (points, o) =>
      paint(o, () => {
        points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
        context.closePath();
      }),
    text(x, y, text, o = {}) {
      context.save();
      context.globalAlpha = o.alpha ?? 1;
      context.fillStyle = o.fill;
      context.font = `${o.italic ? "italic " : ""}${o.weight ?? 400} ${o.size ?? 15}px ${font}`;
      context.textAlign = { start: "left", middle: "center", end: "right" }[o.align ?? "start"];
      context.textBaseline = "middle";
      context.fillText(text, x, y);
      context.restore();
    },
    measure(text, o = {}) {
      context.font = `${o.weight ?? 400} ${o.size ?? 15}px ${font}`;
      return context.measureText(text).width;
    },
  };
}

function svgSurface(width, height, background, font = "sans-serif") {
  const parts = [];
  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
  const short = (x) => +Number(x).toFixed(2);
  const look = (o) =>
    `fill="${o.fill ?? "none"}"` +
    (o.stroke ? ` stroke="${o.stroke}" stroke-width="${o.width ?? 1}"` : "") +
    (o.dash ? ` stroke-dasharray="${o.dash.join(" ")}"` : "") +
    (o.alpha !== undefined && o.alpha < 1 ? ` opacity="${short(o.alpha)}"` : "");
  const add = (tag, attributes, o) =>
    parts.push(`<${tag} ${Object.entries(attributes).map(([k, v]) => `${k}="${typeof v === "number" ? short(v) : v}"`).join(" ")} ${look(o)}/>`);
  add("rect", { x: 0, y: 0, width, height }, { fill: background });
  return {
    rect: (x, y, w, h, o) => add("rect", { x, y, width: w, height: h, ...(o.radius ? { rx: Array.isArray(o.radius) ? o.radius[0] : o.radius } : {}) }, o),
    circle: (x, y, r, o) => add("circle", { cx: x, cy: y, r }, o),
    line: (x1, y1, x2, y2, o) => add("line", { x1, y1, x2, y2 }, o),
    polygon: (points, o) => add("polygon", { points: points.map((p) => p.map(short).join(",")).join(" ") }, o),
    text: (x, y, text, o = {}) =>
      parts.push(
        `<text x="${short(x)}" y="${short(y)}" font-size="${o.size ?? 15}" font-weight="${o.weight ?? 400}"` +
          `${o.italic ? ' font-style="italic"' : ""} text-anchor="${o.align ?? "start"}" dominant-baseline="central" ${look(o)}>${escape(text)}</text>`,
      ),
    measure: (text, o = {}) => String(text).length * (o.size ?? 15) * (o.weight > 500 ? 0.64 : 0.55),
    toString: () =>
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${escape(font)}">\n${parts.join("\n")}\n</svg>\n`,
  };
}

function saved(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// paint(surface, width, height) draws a picture; these two keep it.
function savedSvg(name, width, height, colours, paint) {
  const surface = svgSurface(width, height, colours.background, colours.font);
  paint(surface, width, height);
  saved(name, "image/svg+xml", surface.toString());
}

function savedPng(name, width, height, colours, paint, density = 2) {
  const canvas = document.createElement("canvas");
  canvas.width = width * density;
  canvas.height = height * density;
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.fillStyle = colours.background;
  context.fillRect(0, 0, width, height);
  paint(canvasSurface(context, colours.font), width, height);
  canvas.toBlob((blob) => saved(name, "image/png", blob), "image/png");
}
