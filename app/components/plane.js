// A plane under the hand: the window that is wanted and the one that is shown, pulling, zooming, pointing, the inputs that
// the plane passes through, and the controls that choose it. Points of the plane are in home coordinates, −1 … 1 on the
// whole; those of pictures at hand in u, −1 … 1 on their window.

const INPUTS = { images: 3, random: 1, gradient: 1, attack: 2 }; // that a plane of each kind takes
const OF_PLANE = ["plane", "three", "pseed", "clip"]; // controls that choose another plane
const CLICK = 4; // px that a click may move
const ZOOM = 1.35;
const NARROWEST = 1e-9;

// ----- windows of the plane: x, y, half in shares of the home square

const wholeWindow = () => ({ x: 0, y: 0, half: 1 });
const windowOf = (text) => {
  const [x, y, half] = text ? text.split(",").map(Number) : [0, 0, 1];
  return { x, y, half };
};
const windowText = (w) => (w.half === 1 ? "" : [w.x, w.y, w.half].map((v) => String(+v.toPrecision(10))).join());
const inHome = (x, y, half) => {
  const h = clampTo(half, NARROWEST, 1);
  return { x: clampTo(x, h - 1, 1 - h), y: clampTo(y, h - 1, 1 - h), half: h };
};

// The window that the hand wants (view) and that of the pictures at hand (at), on squares of `side` pixels.
function planeWindow() {
  const self = {
    at: wholeWindow(),
    view: wholeWindow(),
    isSettled: () => Math.abs(self.at.x - self.view.x) + Math.abs(self.at.y - self.view.y) + Math.abs(self.at.half - self.view.half) < 1e-8 * self.at.half,
    // From u of the pictures at hand to pixels: x → ox + s x, y → oy − s y.
    transform(side) {
      const { at, view } = self;
      const s = (side / 2 / view.half) * at.half;
      return { s, ox: side / 2 + ((at.x - view.x) / view.half) * (side / 2), oy: side / 2 - ((at.y - view.y) / view.half) * (side / 2) };
    },
    toPixels: (x, y, side) => [side / 2 + ((x - self.view.x) / self.view.half) * (side / 2), side / 2 - ((y - self.view.y) / self.view.half) * (side / 2)],
    fromPixels: (px, py, side) => [self.view.x + ((2 * px) / side - 1) * self.view.half, self.view.y + (1 - (2 * py) / side) * self.view.half],
    inU: ({ x, y }) => [(x - self.at.x) / self.at.half, (y - self.at.y) / self.at.half],
    // Larger by a factor around a point.
    zoom(factor, x, y) {
      const { view } = self;
      const half = clampTo(view.half / factor, NARROWEST, 1);
      const f = half / view.half;
      self.view = inHome(x + (view.x - x) * f, y + (view.y - y) * f, half);
    },
    // So that what was at the pixel `from` is at `to`, larger by a factor around it.
    pull(from, to, factor, side) {
      const { view } = self;
      const [x, y] = self.fromPixels(...to, side);
      const next = inHome(view.x, view.y, view.half / factor);
      const f = next.half / view.half;
      const scale = (2 * view.half * f) / side;
      self.view = inHome(x + (view.x - x) * f - (to[0] - from[0]) * scale, y + (view.y - y) * f + (to[1] - from[1]) * scale, next.half);
    },
  };
  return self;
}

// ----- the hand

// Pulls, zooms and points at canvases that show `plane`.
//   isReady()              whether there is something under the hand
//   halt(), calm()         before the hand pulls or turns the wheel; before any zooming
//   changed()              after the window has changed
//   pointed()              in the frame after the point has moved
//   clicked(spot)          spot: { slot, x, y }, in which canvas and where
//   moved(moving), rested()   tell the page, as `reports` in shared.js
function planeHand(canvases, plane, { isReady, halt, calm, changed, pointed, clicked, moved, rested }) {
  const self = {
    hover: null, // where the mouse points
    pinned: null, // what was clicked
    pulling: null, // pointers that are down: { slot, pointers, went }
    get spot() { return self.hover ?? self.pinned; },
    zoomed(factor, { x, y }) {
      calm();
      plane.zoom(factor, x, y);
      changed();
      moved(true);
      rested();
    },
  };
  let pending = 0;
  const now = () => {
    pending = 0;
    if (isReady()) pointed();
  };
  const soon = () => { if (!pending) pending = requestAnimationFrame(now); };

  function spotOf(event, slot) {
    const area = canvases[slot].getBoundingClientRect();
    const [x, y] = plane.fromPixels(event.clientX - area.left, event.clientY - area.top, area.width);
    return { slot, x, y };
  }

  // One finger or the mouse moves the plane, two fingers zoom as well.
  function pulled(event, canvas) {
    const hand = self.pulling;
    const area = canvas.getBoundingClientRect();
    const before = [...hand.pointers.values()];
    hand.pointers.set(event.pointerId, [event.clientX - area.left, event.clientY - area.top]);
    const after = [...hand.pointers.values()];
    const middle = (points) => [0, 1].map((c) => points.reduce((sum, p) => sum + p[c], 0) / points.length);
    const spread = (points) => (points.length > 1 ? Math.hypot(points[0][0] - points[1][0], points[0][1] - points[1][1]) : 1);
    const [from, to] = [middle(before), middle(after)];
    hand.went += Math.hypot(to[0] - from[0], to[1] - from[1]) + Math.abs(spread(after) - spread(before));
    if (hand.went <= CLICK) return;
    plane.pull(from, to, spread(after) / spread(before), area.width);
    changed();
    moved(true);
  }

  function lifted(event, slot) {
    const hand = self.pulling;
    if (!hand) return;
    hand.pointers.delete(event.pointerId);
    if (hand.pointers.size) return;
    self.pulling = null;
    if (event.type === "pointercancel") return;
    if (hand.went > CLICK) return moved(false);
    clicked(spotOf(event, slot));
    now();
  }

  canvases.forEach((canvas, slot) => {
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || !isReady()) return;
      halt();
      canvas.setPointerCapture(event.pointerId);
      const area = canvas.getBoundingClientRect();
      self.pulling ??= { slot, pointers: new Map(), went: 0 };
      self.pulling.pointers.set(event.pointerId, [event.clientX - area.left, event.clientY - area.top]);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!isReady()) return;
      self.hover = event.pointerType === "touch" ? null : spotOf(event, slot);
      if (self.pulling?.pointers.has(event.pointerId)) pulled(event, canvas);
      soon();
    });
    canvas.addEventListener("pointerleave", () => {
      self.hover = null;
      soon();
    });
    canvas.addEventListener("pointerup", (event) => lifted(event, slot));
    canvas.addEventListener("pointercancel", (event) => lifted(event, slot));
    canvas.addEventListener("wheel", (event) => {
      if (!isReady() || (event.deltaY > 0 && plane.view.half >= 1)) return;
      event.preventDefault();
      halt();
      self.zoomed(Math.exp(-clampTo(event.deltaY, -150, 150) * 0.0028), spotOf(event, slot));
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => isReady() && self.zoomed(2.5, spotOf(event, slot)));
  });
  return self;
}

// ----- what the plane passes through

// What of a setting lies in the block's arrays: points with their labels, or the picture's three columns, and all labels.
function readSetting(s, r) {
  const points = s.planar ? r.floats(2 * s.points) : null;
  const labels = s.planar ? r.bytes(s.points) : null;
  const columns = s.picture ? [0, 1, 2].map(() => r.floats(product(s.picture))) : null;
  return { ...s, points, labels, columns, tests: r.bytes(s.tests) };
}

// The input at a point of a plane of images.
function imageAt({ picture, columns, box }, x, y) {
  const [c, h, w] = picture;
  const [o, a, b] = columns;
  const [low, high] = box;
  const image = new ImageData(w, h);
  for (let p = 0; p < h * w; p++) {
    for (let channel = 0; channel < 3; channel++) {
      const q = p + (c === 3 ? channel : 0) * h * w;
      image.data[4 * p + channel] = (255 * (o[q] + x * a[q] + y * b[q] - low)) / (high - low);
    }
    image.data[4 * p + 3] = 255;
  }
  const canvas = new OffscreenCanvas(w, h);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function paintPoints(s, setting, plane, side) {
  for (let i = 0; i < setting.labels.length; i++) {
    const [x, y] = plane.toPixels(setting.points[2 * i], setting.points[2 * i + 1], side);
    if (x < -5 || y < -5 || x > side + 5 || y > side + 5) continue;
    if (setting.labels[i] % 2) s.rect(x - 3, y - 3, 6, 6, { fill: "#ffffff", stroke: "#000000" });
    else s.circle(x, y, 3, { fill: "#000000", stroke: "#ffffff" });
  }
}

// The inputs that the plane passes through: a dot, and the picture beside it, `room` pixels above the lower rim. Pictures
// themselves are painted on `context`, where there is one.
function paintInputs(s, context, setting, plane, side, room, frame) {
  const size = side < 300 ? 30 : 42;
  setting.inputs.forEach(({ text, u }) => {
    const [x, y] = plane.toPixels(...u, side);
    if (x < 0 || y < 0 || x > side || y > side) return;
    const left = x > side - size - 14 ? x - size - 8 : x + 8;
    const top = clampTo(y - size / 2, 2, side - size - room);
    if (plane.view.half > 0.2) {
      if (context) {
        context.imageSmoothingEnabled = false;
        context.drawImage(imageAt(setting, ...u), left, top, size, size);
      }
      s.rect(left, top, size, size, frame);
      s.rect(left - 1, top + size, size + 2, 15, { fill: "#000000" });
      s.text(left + size / 2, top + size + 8, text, { size: 11, fill: "#ffffff", align: "middle" });
    }
    s.circle(x, y, 5, { fill: "#000000", stroke: "#ffffff", width: 2 });
  });
}

// The input under the hand.
function planeThumb(canvas, setting, hand) {
  return fitted(canvas, (g, width, height) => {
    if (!setting()?.picture || !hand.spot) return;
    g.imageSmoothingEnabled = false;
    g.drawImage(imageAt(setting(), hand.spot.x, hand.spot.y), 0, 0, width, height);
  });
}

// ----- the controls

// Three numbers of inputs from what was typed, as text; "" if they are none. A plane that takes fewer gets others beside.
function threeOf(text, plane, most) {
  const found = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  if (found.length === INPUTS[plane]) found.push(...[0, 1, 2, 3, 4].filter((i) => !found.includes(i)).slice(0, 3 - found.length));
  const right = found.length === 3 && new Set(found).size === 3 && found.every((i) => Number.isInteger(i) && i >= 0 && i < most);
  return right ? found.join() : "";
}

// Three inputs by chance, of three classes if there are so many.
function threeByChance(labels) {
  const chosen = [];
  for (let tries = 0; chosen.length < 3; tries++) {
    const i = Math.floor(Math.random() * labels.length);
    const known = chosen.some((j) => j === i || (tries < 200 && labels[j] === labels[i]));
    if (!known) chosen.push(i);
  }
  return chosen.join();
}

// Buttons, selects and ticks with data-key, the inputs and "New plane" of a component whose picture is a plane and γ's
// rungs. choose(key, value) is called for each change.
function planeControls(root, { state, setting, choose }) {
  const part = (name) => root.querySelector(`.${name}`);
  const buttons = [...root.querySelectorAll(".choice[data-key] button")];
  const selects = [...root.querySelectorAll("select[data-key]")];
  const ticks = [...root.querySelectorAll("input[data-key]")];
  const three = part("three");
  const choosing = (key, value) => setting() && choose(key, value);
  for (const button of buttons) button.onclick = () => choosing(button.parentElement.dataset.key, button.dataset.value);
  for (const select of selects) select.onchange = () => choosing(select.dataset.key, select.dataset.key === "logit" ? Number(select.value) : select.value);
  for (const tick of ticks) tick.onchange = () => choosing(tick.dataset.key, tick.dataset.key === "clip" ? (tick.checked ? "box" : "free") : Number(tick.checked));
  three.onchange = () => {
    if (!setting()) return;
    const most = setting().tests.length;
    const found = threeOf(three.value, state().plane, most);
    three.classList.toggle("wrong", !found);
    three.title = found ? "" : `${["one number", "two different numbers", "three different numbers"][INPUTS[state().plane] - 1]} from 0 to ${most - 1}`;
    if (found) choose("three", found);
  };
  part("new").onclick = () => {
    if (!setting()) return undefined;
    if (INPUTS[state().plane] === 1) return choose("pseed", 1 + Math.floor(Math.random() * 9998));
    if (setting().tests.length < 3) return undefined;
    return choose("three", threeByChance(setting().tests));
  };
  return {
    look(training, playing, rungs) {
      const now = state();
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === now[button.parentElement.dataset.key]));
      const logits = root.querySelector("select[data-key=logit]");
      if (logits.options.length !== setting().classes.length) logits.replaceChildren(...setting().classes.map((name, i) => new Option(name, i)));
      for (const select of selects) if (root.activeElement !== select) select.value = String(now[select.dataset.key]);
      for (const tick of ticks) tick.checked = tick.dataset.key === "clip" ? now.clip === "box" : Boolean(Number(now[tick.dataset.key]));
      if (root.activeElement !== three) three.value = now.three.split(",").slice(0, INPUTS[now.plane]).join();
      part("rung").max = String(rungs);
      part("play").querySelector("path").setAttribute("d", playIcon(playing));
      part("play").setAttribute("aria-label", playing ? "Pause" : "Play");
      const progress = part("progress");
      progress.classList.toggle("done", training.done);
      progress.firstElementChild.value = training.share;
      progress.lastElementChild.textContent = training.words;
    },
  };
}

// Buttons and keys that step through γ's rungs, play them, zoom and show all of the plane.
function planeKeys(root, plane, gamma, hand, whole, isReady) {
  const part = (name) => root.querySelector(`.${name}`);
  const ready = (call) => () => isReady() && call();
  const [back, forth, toggle] = [ready(() => gamma.step(-1)), ready(() => gamma.step(1)), ready(gamma.toggle)];
  Object.assign(part("back"), { onclick: back });
  Object.assign(part("forth"), { onclick: forth });
  Object.assign(part("play"), { onclick: toggle });
  Object.assign(part("whole"), { onclick: ready(whole) });
  return keys({
    " ": toggle, ArrowRight: forth, ArrowLeft: back, Home: ready(whole),
    "+": ready(() => hand.zoomed(ZOOM, hand.pinned ?? hand.hover ?? plane.view)), "-": ready(() => hand.zoomed(1 / ZOOM, plane.view)),
  });
}
