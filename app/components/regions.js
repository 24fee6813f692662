// The exact regions of a network on a plane, two pictures side by side, with γ under the hand.
//
// data: bytes, see app/compute/region_answer.py; the pictures of many rungs of γ arrive in the background and stay here, so
// that moving γ needs no server. Reports told: { state, seq, moving, poll, key, have, setting } at most every 50 ms while the hand
// moves, once at the end, and again and again while rungs are missing.

const EVERY = 50; // ms between two reports while the hand moves
const REST = 350; // ms after the last wheel or key
const POLL = 160; // ms between an answer and the next question, while training or while rungs are missing
const LOST = 5000; // ms after which a question counts as lost
const BENEATH = { class: 44, layer: 44, value: 62, gradient: 62 }; // px that a legend takes at the lower rim, by colouring
const JOINED = "Neighbouring regions on which f is the same affine map, joined (merged) into one maximal piece. A grid of 256² points can only miss regions: a lower bound.";
const CHART = 118; // px of the chart beneath the pictures
const BESIDE = 235; // px that numbers and chart take beside the pictures, at the least; numbers alone:
const NUMBERS = 165;
const USED = 250; // ms after a click or key elsewhere in which the page begins to work: no question then
const POINTED = 400; // ms for which the hand counts as pointing
const SELDOM = 3000; // ms between two questions meanwhile; the background may rest
const FAST = 8000; // polygons up to which the picture is drawn anew while it is moved; more are moved as an image

// One rung's picture: vertices in u, maps, areas, edge layers and patterns, as app/compute/region_block.py packs them.
function picture(bytes) {
  const { header, body } = headed(bytes);
  const r = reader(body);
  const { cells: n, vertices: v, outputs } = header;
  const found = { ...header, n, points: r.floats(2 * v), maps: r.floats(3 * outputs * n), areas: r.floats(n), sides: r.words(n), edges: r.bytes(v), patterns: r.bytes(n * header.bits) };
  return Object.assign(found, { offsets: offsetsOf(found.sides), looks: new Map() });
}

// ----- colours

// A fixed pseudo-random number in −1..1 for each unit and channel: similar winner sets get similar colours at every γ.
function scattered(unit, channel) {
  let h = Math.imul(unit + 1, 0x9e3779b1) ^ Math.imul(channel + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 31 - 1;
}

// Colours are pixels of an ImageData, 0xAABBGGRR.
const pixel = (r, g, b) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
const css = (c) => `rgb(${c & 255},${(c >> 8) & 255},${(c >> 16) & 255})`;
// The colours of the classes where they fill regions: paler on a light page, so that the dark edges are seen.
const classFills = ({ dark, classes }) => (dark ? classes : classes.map((c) => `#${[1, 3, 5].map((at) => Math.round((parseInt(c.slice(at, at + 2), 16) + 255) / 2).toString(16)).join("")}`));
const GAMMA = Uint8Array.from({ length: 4097 }, (_, i) => {
  const x = i / 4096;
  return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
});
const light = (x) => GAMMA[(clampTo(x, 0, 1) * 4096 + 0.5) | 0];
const STEPS = 1024; // shades of the perceptual scale
const SCALE = Uint32Array.from({ length: STEPS }, (_, i) => pixel(...viridis(i / (STEPS - 1)).match(/\d+/g).map(Number)));
const scaled = (t) => SCALE[(clampTo(t, 0, 1) * (STEPS - 1) + 0.5) | 0];

function oklab(L, a, b) {
  const [l, m, s] = [(L + 0.3963 * a + 0.2158 * b) ** 3, (L - 0.1056 * a - 0.0639 * b) ** 3, (L - 0.0895 * a - 1.2915 * b) ** 3];
  return pixel(light(4.0767 * l - 3.3077 * m + 0.231 * s), light(-1.2684 * l + 2.6098 * m - 0.3413 * s), light(-0.0042 * l - 0.7034 * m + 1.7076 * s));
}

// Three fixed random projections of the winners of each region, [n, 3]: the axes of a perceptual colour space.
function projections(p, sizes) {
  const tables = [];
  let unit = 0;
  for (const size of sizes) {
    for (let first = 0; first < size; first += 8) {
      const table = new Float32Array(3 * 256);
      for (let byte = 0; byte < 256; byte++) {
        for (let bit = 0; bit < 8 && first + bit < size; bit++) {
          if (!(byte & (128 >> bit))) continue;
          for (let c = 0; c < 3; c++) table[3 * byte + c] += scattered(unit + first + bit, c);
        }
      }
      tables.push(table);
    }
    unit += size;
  }
  const sums = new Float32Array(3 * p.n);
  for (let i = 0; i < p.n; i++) {
    for (let b = 0; b < p.bits; b++) {
      const at = 3 * p.patterns[i * p.bits + b];
      for (let c = 0; c < 3; c++) sums[3 * i + c] += tables[b][at + c];
    }
  }
  return sums;
}

// Mean and spread of the projections over the picture's area: they say which colours there are.
function spreadOf(p, sums) {
  const total = p.areas.reduce((sum, area) => sum + area, 0) || 1;
  return [0, 1, 2].map((c) => {
    let [mean, square] = [0, 0];
    for (let i = 0; i < p.n; i++) mean += (p.areas[i] * sums[3 * i + c]) / total;
    for (let i = 0; i < p.n; i++) square += (p.areas[i] * (sums[3 * i + c] - mean) ** 2) / total;
    return [mean, Math.max(Math.sqrt(square), 0.4)];
  });
}

function identityColours(sums, spread, dark) {
  const found = new Uint32Array(sums.length / 3);
  const [[a, da], [b, db], [c, dc]] = spread;
  for (let i = 0; i < found.length; i++) {
    const u = Math.tanh((0.75 * (sums[3 * i] - a)) / da);
    const v = Math.tanh((0.75 * (sums[3 * i + 1] - b)) / db);
    const w = Math.tanh((0.75 * (sums[3 * i + 2] - c)) / dc);
    found[i] = oklab((dark ? 0.52 : 0.83) + (dark ? 0.09 : 0.07) * w, 0.12 * u, 0.12 * v);
  }
  return found;
}

const slope = (p, i, o, half) => Math.hypot(p.maps[3 * (i * p.outputs + o)], p.maps[3 * (i * p.outputs + o) + 1]) / half;

function valueRange(p, logit) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < p.n; i++) {
    for (let v = p.offsets[i]; v < p.offsets[i + 1]; v++) {
      const f = mapAt(p, i, logit, p.points[2 * v], p.points[2 * v + 1]);
      if (f < low) low = f;
      if (f > high) high = f;
    }
  }
  return [low, high];
}

// ----- drawing

// Filling many small polygons one by one is what a canvas is slow at. So the pixels are filled here, row by row, at the
// canvas's own density, and the edges, which hide the steps at the rims, are drawn over them by the canvas.

// Calls span(region, row, first pixel, one beyond the last) for every row of every region, on size² pixels.
function scan(p, { s, ox, oy }, size, span) {
  const { points, offsets, n } = p;
  for (let i = 0; i < n; i++) {
    const [first, end] = [offsets[i], offsets[i + 1]];
    let [top, bottom] = [Infinity, -Infinity];
    for (let v = first; v < end; v++) {
      const y = oy - s * points[2 * v + 1];
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
    const last = Math.min(size - 1, Math.floor(bottom - 0.5));
    for (let row = Math.max(0, Math.ceil(top - 0.5)); row <= last; row++) {
      const at = row + 0.5;
      let [left, right] = [Infinity, -Infinity];
      let [x0, y0] = [ox + s * points[2 * end - 2], oy - s * points[2 * end - 1]];
      for (let v = first; v < end; v++) {
        const [x1, y1] = [ox + s * points[2 * v], oy - s * points[2 * v + 1]];
        if (y0 <= at !== y1 <= at) {
          const x = x0 + ((at - y0) / (y1 - y0)) * (x1 - x0);
          if (x < left) left = x;
          if (x > right) right = x;
        }
        x0 = x1;
        y0 = y1;
      }
      const [from, to] = [Math.max(0, Math.ceil(left - 0.5)), Math.min(size, Math.ceil(right - 0.5))];
      if (to > from) span(i, row, from, to);
    }
  }
}

// One canvas's pixels, kept from picture to picture.
function raster(size) {
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  return { size, canvas, context, image, pixels: new Uint32Array(image.data.buffer) };
}

// Fill all regions and draw their edges on g, a context of `side` CSS pixels. `to` maps u to them: x → ox + s x, y → oy − s y.
function paintPicture(g, p, to, look, side, scratch) {
  if (look.mode === "class" && p.n <= FAST) paintClasses(g, p, to, look);
  else if (look.mode !== "layer") {
    const { size, pixels, context, image, canvas } = scratch;
    const density = size / side;
    pixels.fill(0);
    scan(p, { s: to.s * density, ox: to.ox * density, oy: to.oy * density }, size, look.filled(p, pixels, size, to, density));
    context.putImageData(image, 0, 0);
    g.drawImage(canvas, 0, 0, side, side);
  }
  paintEdges(g, p, to, look);
}

function paintClasses(g, p, { s, ox, oy }, look) {
  for (const [o, polygon] of cached(p, "class", () => classParts(p))) {
    g.beginPath();
    for (const [x, y] of polygon) g.lineTo(ox + s * x, oy - s * y);
    g.fillStyle = look.classes[o % look.classes.length];
    g.fill();
  }
}

// A span of one colour for each region.
const flatSpans = (colours, pixels, size) => (i, row, from, to) => pixels.fill(colours[i], row * size + from, row * size + to);

// f is affine on a region, so along a row it is linear: every pixel has its own value, exactly.
function valueSpans(p, logit, low, wide, pixels, size, to, density) {
  const [step, u0, v0] = [1 / (density * to.s), (0.5 / density - to.ox) / to.s, (to.oy - 0.5 / density) / to.s];
  const scale = (STEPS - 1) / wide;
  return (i, row, from, end) => {
    const m = 3 * (i * p.outputs + logit);
    const rise = p.maps[m] * step * scale;
    let t = (p.maps[m] * (u0 + from * step) + p.maps[m + 1] * (v0 - row * step) + p.maps[m + 2] - low) * scale + 0.5;
    for (let x = row * size + from; x < row * size + end; x++, t += rise) pixels[x] = SCALE[t < 0 ? 0 : t >= STEPS ? STEPS - 1 : t | 0];
  };
}

// Where one class wins at both ends of a span, it wins on all of it; else each pixel is asked.
function classSpans(p, classes, pixels, size, to, density) {
  const tones = classes.map((c) => pixel(...[1, 3, 5].map((at) => parseInt(c.slice(at, at + 2), 16))));
  const place = (x, row) => [((x + 0.5) / density - to.ox) / to.s, (to.oy - (row + 0.5) / density) / to.s];
  return (i, row, from, end) => {
    const [a, b] = [says(p, i, ...place(from, row)), says(p, i, ...place(end - 1, row))];
    if (a === b) return pixels.fill(tones[a % tones.length], row * size + from, row * size + end);
    for (let x = from; x < end; x++) pixels[row * size + x] = tones[says(p, i, ...place(x, row)) % tones.length];
    return undefined;
  };
}

// The edges of each layer, layer by layer, as paths in u; those of very large pictures are not kept.
function edgePaths(p) {
  const paths = [];
  const { points } = p;
  eachEdge(p, (layer, a, b) => {
    const path = (paths[layer] ??= new Path2D());
    path.moveTo(points[2 * a], points[2 * a + 1]);
    path.lineTo(points[2 * b], points[2 * b + 1]);
  });
  return paths;
}

function paintEdges(g, p, { s, ox, oy }, look) {
  const paths = p.n > FAST ? edgePaths(p) : cached(p, "edges", () => edgePaths(p));
  const thin = clampTo(Math.sqrt(700 / Math.max(p.n, 1)), 0.3, 1);
  g.save();
  g.lineCap = p.n > 1000 ? "butt" : "round";
  g.globalAlpha = look.mode === "layer" ? 1 : 0.8;
  g.translate(ox, oy);
  g.scale(s, -s);
  for (let layer = paths.length - 1; layer >= 1; layer--) {
    if (!paths[layer]) continue;
    g.lineWidth = Math.max(0.35, ((look.mode === "layer" ? 3 : 2) * thin) / Math.sqrt(layer)) / s;
    g.strokeStyle = look.mode === "layer" ? look.layers[(layer - 1) % look.layers.length] : look.ink;
    g.stroke(paths[layer]);
  }
  g.restore();
}

export default mounted((root, send) => {
  const part = (name) => root.querySelector(`.${name}`);
  const box = part("regions");
  const stages = [...root.querySelectorAll("figure canvas")];
  const captions = [...root.querySelectorAll("figcaption")];
  let d = null; // the last answer
  let setting = null; // what stays while γ and window move: points, or the images of the plane
  let state = null; // what the hand wants
  let pictures = new Map(); // rung → picture, of d.key
  const plane = planeWindow();
  let shown = [null, null]; // what the canvases show
  let bitmaps = [null, null];
  const scratches = [null, null];
  let painted = [null, null];
  let more = new Map(); // rung → pieces with one map, and what a grid meets
  let spreads = new Map(); // rung → which colours there are
  let sent = 0;
  let fresh = null; // the seed that the hand wants, until an answer has it
  let asked = 0; // when a question went out that has no answer yet
  let answered = 0; // when the last answer came, and how many in a row brought no picture
  let empty = 0;
  let pointed = -Infinity; // when the hand last pointed
  let timer = 0;
  let resting = 0;
  let colours = theme(root);
  let fills = classFills(colours);
  let fittedTo = "";

  // ----- talking with the page

  let used = -Infinity; // when something else on the page was used
  const listens = new AbortController();
  for (const event of ["pointerdown", "pointerup", "click", "keydown", "change"]) {
    document.addEventListener(event, (e) => { if (!e.composedPath().includes(box)) used = performance.now(); }, { capture: true, passive: true, signal: listens.signal });
  }

  function tell(moving, poll = false) {
    if (!state) return;
    if (!poll) sent += 1;
    asked = performance.now();
    const { seed, ...own } = { ...state, rung: ladder.usual ? 0 : state.rung, window: windowText(plane.view) };
    const isFresh = fresh !== null && fresh !== seed;
    send("told", { state: isFresh ? { ...own, seed: fresh } : own, ahead: isFresh ? "seed" : "", seq: sent, moving, poll, key: d?.key ?? "", have: [...pictures.keys()], lacking: lacking(), setting: setting?.name ?? "", nonce: Math.random() });
  }
  // Rungs on the screen whose pieces are not counted yet.
  const lacking = () => (d ? slots().filter((rung) => rung !== null && !more.has(rung)) : []);
  const tellSoon = throttled((moving) => tell(moving), EVERY);
  function moved(moving = false) {
    ladder.gentle = false;
    tellSoon(moving);
    if (!moving) tellSoon.flush();
  }
  function rested() {
    clearTimeout(resting);
    resting = setTimeout(() => {
      resting = 0;
      moved(false);
    }, REST);
  }

  const isWhole = () => d.done && d.whole && pictures.size >= d.rungs.length;
  // While the hand points, and where answers bring nothing new, seldom: Streamlit takes 20 ms of the browser for each.
  function mayAsk() {
    const now = performance.now();
    const mayWait = !lacking().some((rung) => !isHere(rung)); // what is still missing is not what is looked at
    if (mayWait && (hand.pulling || resting || (now - pointed < POINTED && now - answered < SELDOM))) return false;
    // Nor while the page is at work already: a question then would break off what somebody waits for.
    const isBusy = now - used < USED || document.querySelector("[data-test-script-state=running]") !== null;
    return !document.hidden && !isBusy && !(asked && now - asked < LOST);
  }
  function poll() {
    clearTimeout(timer);
    if (!d || isWhole() || d.error) return;
    timer = setTimeout(() => {
      if (mayAsk()) tell(true, true);
      poll();
    }, POLL * 2 ** Math.min(empty, 2));
  }

  async function receive(bytes) {
    const { header, body } = headed(bytes);
    const r = reader(body);
    const next = header.setting ? readSetting(header.setting, r, header.setting_bytes, body) : setting;
    if (!next) { // the page has made this component anew, and the server thinks that it knows its setting
      state ??= header.state;
      return tell(true, true);
    }
    const r2 = reader(body.subarray(header.setting_bytes));
    const found = await Promise.all(header.blocks.map(async ([rung, size]) => [rung, picture(await unzipped(r2.bytes(size)))]));
    asked = 0;
    answered = performance.now();
    empty = found.length || !header.done ? 0 : empty + 1;
    const isNew = header.key !== d?.key;
    if (isNew) {
      if (!found.length && header.done) return tell(true, true); // an answer to what this page no longer holds
      pictures = new Map();
      bitmaps = [null, null];
    }
    found.forEach(([rung, p]) => pictures.set(rung, p));
    const other = setting?.name !== next?.name;
    if (header.family !== d?.family) spreads = new Map();
    setting = next;
    d = header;
    more = new Map(d.more.map(([rung, pieces, sampled]) => [rung, { pieces, sampled }]));
    if (!state || header.seq >= sent || other) {
      if (!hand.pulling && !resting) {
        state = ladder.adopted(header.state, isNew);
        plane.view = windowOf(header.state.window);
      }
      sent = Math.max(sent, header.seq);
    }
    if (header.state.seed === fresh) fresh = null;
    plane.at = windowOf(header.state.window);
    if (other) hand.hover = hand.pinned = null;
    look();
    draw();
    poll();
    prepared();
    if (ladder.gentle && d.done && pictures.size >= d.rungs.length && ladder.usual && header.state.window === "") ladder.tourSoon(() => !hand.hover && !hand.pulling);
    return undefined;
  }

  // What the next paintings need is made while nothing else is to be done.
  const idle = window.requestIdleCallback ?? ((call) => setTimeout(call, 50));
  function prepared() {
    idle((deadline) => {
      for (const p of pictures.values()) {
        if (p.n > FAST || p.looks.has("edges")) continue;
        if ((deadline?.timeRemaining?.() ?? 0) < 2) return prepared();
        cached(p, "edges", () => edgePaths(p));
        if (state.colour === "identity") cached(p, `identity ${colours.dark}`, () => identityOf(p));
      }
      return undefined;
    });
  }

  // ----- γ

  const rungs = () => (d ? d.rungs.length - 1 : 0);
  const isHere = (rung) => pictures.has(rung);
  const ladder = rungPlayer({
    state: () => state, count: rungs, isHere, draw, look, moved, rested,
    missing: () => { if (!asked) tell(true, true); },
  });

  function gammaText(rung) {
    const [gamma, winners] = d.rungs[rung];
    return [`γ = ${fixed(gamma, 3)}`, winnersText(winners, d.sizes)];
  }

  // ----- what is chosen

  function look() {
    if (!state) return;
    box.className = ["kwta plane regions", `beside-${state.beside}`, setting.planar ? "planar" : "", state.bare ? "bare" : "", plane.view.half < 1 ? "zoomed" : "", ["gradient", "value"].includes(state.colour) ? "valued" : ""].join(" ");
    controls.look(d.training, ladder.playing, rungs());
    for (const [name, value] of [["rung", state.rung], ["other", state.other]]) {
      const slider = part(name);
      slider.max = String(rungs());
      slider.value = String(value);
      slider.setAttribute("aria-valuetext", gammaText(value).join(", "));
    }
    const rows = [box.className, d.training.done, d.training.words.length, setting.name].join();
    if (rows !== fittedTo) fit(); // measuring makes the browser lay out the whole page
    fittedTo = rows;
  }

  // The largest pictures that leave the rest in the window: numbers and chart at their right, or beneath.
  function fit() {
    const width = box.clientWidth;
    if (!width) return;
    const narrow = width < 640;
    const n = state.beside === "alone" ? 1 : 2;
    const top = Math.max(0, Math.min(box.getBoundingClientRect().top + window.scrollY, 160)) + part("controls").offsetHeight;
    const rest = window.innerHeight - top - captions[0].offsetHeight - part("ladder").offsetHeight - 32;
    const room = (beside) => (width - 12 * (n - 1) - beside) / n;
    const [beneath, split, beside] = [Math.min(room(0), rest - CHART), Math.min(room(NUMBERS + 14), rest - CHART), Math.min(room(BESIDE), rest)];
    const wide = !narrow && beside > beneath;
    const isSplit = !narrow && !wide && split > 0.92 * beneath;
    const side = Math.floor(narrow ? (width < 430 ? width : room(0)) : clampTo(wide ? beside : isSplit ? split : beneath, 200, 1200));
    part("body").classList.toggle("wide", wide);
    part("body").classList.toggle("split", isSplit);
    part("body").classList.toggle("narrow", narrow && width < 430);
    for (const figure of root.querySelectorAll("figure")) figure.style.flex = `0 0 ${side}px`, (figure.style.width = `${side}px`);
    part("chart").style.height = wide ? `${clampTo(rest * 0.42, 120, 230)}px` : `${CHART}px`;
  }

  // ----- the pictures

  const slots = () => [state.rung, state.beside === "relu" ? 0 : state.beside === "gamma" ? state.other : null];

  function lookOf() {
    const ink = colours.dark ? "#0b0d0f" : "#22272c";
    const { colour: mode, logit } = state;
    const base = { mode, ink, classes: fills, layers: colours.layers };
    const flat = (colours) => ({ colours, filled: (p, pixels, size) => flatSpans(colours(p), pixels, size) });
    const both = shown.filter(Boolean);
    if (mode === "identity") return { ...base, ...flat((p) => cached(p, `identity ${colours.dark}`, () => identityOf(p))) };
    if (mode === "gradient") {
      const most = Math.max(1e-300, ...both.map((p) => cached(p, `steepest ${logit}`, () => slopes(p, logit).reduce((a, b) => Math.max(a, b), 0))));
      return { ...base, range: [0, most], ...flat((p) => Uint32Array.from(slopes(p, logit), (size) => scaled(size / most))) };
    }
    if (mode === "value") {
      const ranges = both.map((p) => cached(p, `range ${logit}`, () => valueRange(p, logit)));
      const [low, high] = [Math.min(...ranges.map((r) => r[0])), Math.max(...ranges.map((r) => r[1]))];
      return { ...base, range: [low, high], filled: (p, ...where) => valueSpans(p, logit, low, Math.max(high - low, 1e-300), ...where) };
    }
    return { ...base, filled: (p, ...where) => classSpans(p, fills, ...where) };
  }
  const slopes = (p, logit) => cached(p, `slopes ${logit}`, () => Float32Array.from({ length: p.n }, (_, i) => slope(p, i, logit, d.square[2])));

  // Colours stay while one zooms: they are measured on the first picture of a rung, mostly all of the plane.
  function identityOf(p) {
    const sums = projections(p, d.sizes);
    if (!spreads.has(p.rung)) spreads.set(p.rung, spreadOf(p, sums));
    return identityColours(sums, spreads.get(p.rung), colours.dark);
  }

  function paintSlot(g, slot, side) {
    const p = shown[slot];
    g.fillStyle = colours.panel;
    g.fillRect(0, 0, side, side);
    if (!p) return;
    const look = lookOf();
    paintBitmap(g, slot, p, side, look);
    paintOver(canvasSurface(g, colours.font), slot, side, look);
  }

  // What is painted a second time is kept as an image, so that pointing costs nothing. Few polygons are drawn anew wherever
  // they are moved; very many are moved as an image until the exact ones of the new window are there.
  function paintBitmap(g, slot, p, side, look) {
    const density = Math.min(window.devicePixelRatio || 1, 3);
    const own = { s: side / 2, ox: side / 2, oy: side / 2 };
    const now = plane.transform(side);
    const to = p.n > FAST ? own : now;
    const name = [d.key, state.colour, state.logit, look.range, side, density, colours.dark, to.s, to.ox, to.oy].join();
    let made = bitmaps[slot];
    const isNew = made?.name !== name || made.p !== p;
    const size = Math.round(side * density);
    if (scratches[slot]?.size !== size) scratches[slot] = raster(size);
    if (isNew && to === now) {
      bitmaps[slot] = { name, p, canvas: made?.canvas, isDrawn: false };
      return paintPicture(g, p, to, look, side, scratches[slot]);
    }
    if (isNew || !made.isDrawn) {
      const canvas = made?.canvas?.width === size ? made.canvas : new OffscreenCanvas(size, size);
      const context = canvas.getContext("2d");
      context.setTransform(density, 0, 0, density, 0, 0);
      context.clearRect(0, 0, side, side);
      paintPicture(context, p, to, look, side, scratches[slot]);
      made = bitmaps[slot] = { name, p, canvas, isDrawn: true };
    }
    if (to === now) return g.drawImage(made.canvas, 0, 0, side, side);
    g.imageSmoothingEnabled = false; // in motion; it would take three times as long
    return g.drawImage(made.canvas, now.ox - now.s, now.oy - now.s, 2 * now.s, 2 * now.s);
  }

  // Everything that a canvas shows; while it stays, nothing is painted.
  function signature(slot) {
    const spots = [hand.pinned, hand.hover].map((spot) => spot && [spot.x, spot.y, spot.slot]);
    return [d.key, shown[slot]?.rung, shown[slot]?.n, lookOf().range, state.colour, state.logit, state.points, state.beside, setting.name, Object.values(plane.view), Object.values(plane.at), spots, colours.dark].join();
  }
  function repaint() {
    fits.forEach((f, slot) => {
      const now = signature(slot);
      if (now === painted[slot]) return;
      painted[slot] = now;
      f.redraw();
    });
  }

  function paintOver(s, slot, side, look) {
    const p = shown[slot];
    if (setting.planar && Number(state.points)) paintPoints(s, setting, plane, side);
    paintInputs(s, target, setting, plane, side, BENEATH[state.colour] ?? 16, { stroke: "#ffffff", width: 1.5 });
    for (const spot of [hand.pinned, hand.hover]) {
      if (!spot) continue;
      const i = regionUnder(slot, spot);
      const to = plane.transform(side);
      if (i >= 0) {
        const outline = polygonOf(p, i).map(([x, y]) => [to.ox + to.s * x, to.oy - to.s * y]);
        s.polygon(outline, { stroke: "#ffffff", width: 5 });
        s.polygon(outline, { stroke: "#000000", width: 2 });
      }
      if (slot !== spot.slot || spot === hand.pinned) {
        const [x, y] = plane.toPixels(spot.x, spot.y, side);
        for (const [stroke, width] of [["#ffffff", 4], ["#000000", 1.6]]) {
          s.line(x - 9, y, x + 9, y, { stroke, width });
          s.line(x, y - 9, x, y + 9, { stroke, width });
        }
      }
    }
    if (look.range) paintScale(s, side, look);
    if (state.colour === "class") paintLegend(s, side, fills, setting.classes.map(String), "");
    if (state.colour === "layer") paintLegend(s, side, colours.layers, d.sizes.map((_, l) => `layer ${l + 1}`), "");
  }

  function paintScale(s, side, look) {
    const [width, x, y] = [Math.min(150, side * 0.4), 10, side - 22];
    s.rect(x - 5, y - 20, width + 10, 38, { fill: colours.background, alpha: 0.85, radius: 4 });
    for (let i = 0; i < 40; i++) s.rect(x + (i * width) / 40, y, width / 40 + 0.6, 9, { fill: viridis(i / 39) });
    const name = state.colour === "value" ? `f, logit ${setting.classes[state.logit]}` : `|∇f|, logit ${setting.classes[state.logit]}`;
    s.text(x, y - 9, number(look.range[0], 2), { size: 12, fill: colours.text });
    s.text(x + width / 2, y - 9, name, { size: 12, fill: colours.text, align: "middle" });
    s.text(x + width, y - 9, number(look.range[1], 2), { size: 12, fill: colours.text, align: "end" });
  }

  function paintLegend(s, side, tones, names) {
    let x = 8;
    const wide = names.map((name) => s.measure(name, { size: 13 }) + 24);
    s.rect(4, side - 26, Math.min(side - 8, wide.reduce((a, b) => a + b, 4)), 22, { fill: colours.background, alpha: 0.88, radius: 4 });
    names.forEach((name, i) => {
      s.rect(x, side - 20, 11, 11, { fill: tones[i % tones.length], stroke: colours.text });
      s.text(x + 15, side - 14, name, { size: 13, fill: colours.text });
      x += wide[i];
    });
  }

  function regionUnder(slot, spot) {
    const p = shown[slot];
    return p && spot ? cellAt(p, ...plane.inU(spot)) : -1;
  }

  let target = null; // the 2-D context that is painted on
  const fits = stages.map((canvas, slot) =>
    fitted(canvas, (context, side) => {
      if (!state || (slot && state.beside === "alone")) return;
      target = context;
      paintSlot(context, slot, side);
    }),
  );

  function draw() {
    if (!d || !setting) return;
    const start = performance.now();
    slots().forEach((rung, slot) => {
      if (rung === null) shown[slot] = null;
      else if (isHere(rung)) shown[slot] = pictures.get(rung);
      else if (slot === 0 && nearestRung(pictures, rung) !== null) shown[slot] = pictures.get(nearestRung(pictures, rung));
    });
    repaint();
    marks.redraw();
    chart.redraw();
    words();
    box.dataset.ms = (performance.now() - start).toFixed(2);
  }

  // ----- γ's rungs and the counts

  const marks = rungMarks(part("marks"), { count: rungs, isHere, colours: () => colours });
  const chart = fitted(part("chart"), (g, width, height) => {
    if (d) paintChart(canvasSurface(g, colours.font), width, height);
  });

  function places(width, height) {
    const counts = new Map(d.counts.map(([rung, n]) => [rung, n]));
    const all = new Map(d.counts.map(([rung, , isAll]) => [rung, isAll]));
    const most = Math.max(1, ...counts.values());
    const [left, right, top, bottom] = [46, width - 8, 24, height - 24];
    const first = d.rungs[1]?.[0] ?? 0;
    return {
      counts, all, most, left, right, top, bottom,
      x: (gamma) => left + ((gamma - first) / Math.max(1 - first, 1e-9)) * (right - left),
      y: (n) => bottom - (n / most) * (bottom - top),
    };
  }

  function paintChart(s, width, height) {
    const { counts, all, most, left, right, top, bottom, x, y } = places(width, height);
    const told = (rung) => `${all.get(rung) ? "" : "over "}${thousands(counts.get(rung))}`;
    const ink = { fill: colours.text, size: 13 };
    s.line(left, bottom, right, bottom, { stroke: colours.border });
    for (const share of [0, 0.5, 1]) {
      const n = share * most;
      s.line(left, y(n), right, y(n), { stroke: colours.border, alpha: 0.6 });
      s.text(left - 6, y(n), n >= 10_000 ? `${fixed(n / 1000, 1)}k` : thousands(Math.round(n)), { ...ink, align: "end" });
    }
    for (const gamma of [0.25, 0.5, 0.75, 1]) s.text(x(gamma), height - 11, fixed(gamma, 2), { ...ink, align: gamma === 1 ? "end" : "middle" });
    s.text(left + 2, height - 11, "γ", { ...ink, italic: true });
    const relu = counts.get(0);
    if (relu !== undefined) {
      s.line(left, y(relu), right, y(relu), { stroke: colours.text, width: 2, alpha: 0.75, dash: [7, 4] });
      s.text(right, y(relu) + (y(relu) > top + 14 ? -9 : 10), `ReLU ${told(0)}`, { ...ink, align: "end", fill: colours.text, weight: 600 });
    }
    const wide = clampTo(((right - left) / rungs()) * 0.75, 1, 9);
    for (const [rung, n] of counts) {
      if (!rung) continue;
      const now = rung === state.rung;
      s.rect(x(d.rungs[rung][0]) - wide / 2, y(n), wide, bottom - y(n), { fill: now ? colours.positive : colours.primary, alpha: now ? 1 : 0.75 });
    }
    for (const [rung, { sampled }] of more) { // what a grid meets of them, as a mark on the bar
      if (!rung || sampled === null) continue;
      const px = x(d.rungs[rung][0]);
      s.line(px - wide / 2 - 0.5, y(sampled), px + wide / 2 + 0.5, y(sampled), { stroke: colours.text, width: 1.5 });
    }
    const n = counts.get(state.rung);
    const xNow = x(d.rungs[state.rung][0]);
    s.line(xNow, bottom, xNow, bottom + 6, { stroke: colours.positive, width: 3 });
    if (n !== undefined) s.text(clampTo(xNow, left + 26, right - 26), Math.max(y(n) - 9, top - 3), told(state.rung), { ...ink, align: "middle", weight: 700 });
    s.text(left, 8, "bars: exact; dashes: found by a 256² grid", { ...ink, alpha: 0.85 });
  }

  // ----- the words

  function domainText() {
    const [x, y, half] = d.square;
    if (!setting.planar) return `on a square of side ${number(2 * half, 3)}`;
    const range = (c) => `[${number(c - half)}, ${number(c + half)}]`;
    return x === y ? `on ${range(x)}²` : `on ${range(x)} × ${range(y)}`;
  }

  function caption(slot) {
    const p = shown[slot];
    const rung = slots()[slot];
    if (!p) return ["", ""];
    const name = rung === 0 ? "ReLU" : `k-WTA, γ = ${fixed(d.rungs[rung][0], 3)}`;
    if (p.rung !== rung) return [`${name}: being computed …`, "shown meanwhile: the nearest rung"];
    const n = `${thousands(p.n)} ${p.n === 1 ? "region" : "regions"}`;
    if (!p.complete) return [`${name}: over ${n}`, `limit reached, ${fixed(100 * p.covered, 1)} % of the area; zoom in for all of it`];
    const counted = more.get(rung);
    return [`${name}: ${n}, exact`, counted ? `${thousands(counted.pieces)} if equal maps are joined · ≥ ${thousands(counted.sampled)} by a 256² grid` : "regions with equal maps are being joined …", JOINED];
  }

  function words() {
    captions.forEach((element, slot) => {
      const [main, more, help = ""] = caption(slot);
      setText(element.children[0], main);
      setText(element.children[1], more);
      element.title = help;
      stages[slot].setAttribute("aria-label", `${main}, ${domainText()}. ${more}`);
    });
    const [gamma, k] = gammaText(state.rung);
    setText(part("gamma"), box.clientWidth < 640 ? gamma : `${gamma}, ${k.length > 16 ? `k = ${d.rungs[state.rung][1][0]}, …` : k}`);
    part("gamma").title = k;
    for (const name of ["rung", "other"]) {
      const slider = part(name);
      if (Number(slider.value) !== state[name]) slider.value = String(state[name]);
      slider.setAttribute("aria-valuetext", gammaText(state[name]).join(", "));
    }
    part("chart").setAttribute("aria-label", `Regions against γ: ${d.counts.length} of ${d.rungs.length} counts`);
    info();
    Object.assign(box.dataset, { key: d.key, rung: state.rung, cells: shown[0]?.rung === state.rung ? shown[0].n : "", twin: shown[1]?.n ?? "", here: pictures.size, all: d.rungs.length, whole: String(isWhole()), window: windowText(plane.at), settled: String(plane.isSettled()), playing: String(Boolean(ladder.playing)) });
    if (!ladder.playing && !hand.pulling) speak(caption(0)[0] + (shown[1] ? `; ${caption(1)[0]}` : ""));
  }

  const speak = throttled((text) => setText(part("spoken"), text), 1500);

  function info() {
    const { spot } = hand;
    const slot = spot?.slot ?? 0;
    const i = spot ? regionUnder(slot, spot) : -1;
    const p = shown[slot];
    box.dataset.region = i;
    if (i < 0) {
      setText(part("about"), d.error ? `${d.error}` : `O${domainText().slice(1)}${setting.planar ? "" : `, ${setting.words || (state.plane === "images" ? "through the three inputs" : "random directions")}`}. Point at a region; click pins it, the wheel zooms.`);
      setText(part("map"), "");
      strips.redraw();
      thumb.redraw();
      return;
    }
    const [x, y] = plane.inU(spot);
    const area = p.areas[i] * d.square[2] ** 2;
    const o = says(p, i, x, y);
    const other = shown[1 - slot] ? regionUnder(1 - slot, spot) : -1;
    const twin = other >= 0 ? `; ${slot ? "left" : "right"}: ${other}` : "";
    setText(part("about"), `Region ${i} of ${thousands(p.n)}${hand.pinned && !hand.hover ? ", pinned" : ""}: area ${number(area)}, ${p.sides[i]} sides; class ${setting.classes[o]}, |∇| = ${number(slope(p, i, o, d.square[2]))}${twin}`);
    setText(part("map"), `f(t) = ${mapText(p, i, o)}  at t = (${tOf(spot).join(", ")})`);
    strips.redraw();
    thumb.redraw();
  }

  const tOf = (spot) => {
    const [cx, cy, half] = setting.home;
    const digits = clampTo(2 - Math.floor(Math.log10(plane.view.half)), 2, 12);
    return [fixed(cx + half * spot.x, digits), fixed(cy + half * spot.y, digits)];
  };

  // Of the logit that is the largest under the cursor, in t.
  function mapText(p, i, o) {
    const m = 3 * (i * p.outputs + o);
    const [cx, cy, half] = d.square;
    const [a, b] = [p.maps[m] / half, p.maps[m + 1] / half];
    const c = p.maps[m + 2] - a * cx - b * cy;
    const signed = (v, text) => `${v < 0 ? "−" : "+"} ${number(Math.abs(v))}${text}`;
    return `${number(a)} t₁ ${signed(b, " t₂")} ${signed(c, "")}`;
  }

  const strips = fitted(part("strips"), (g, width) => {
    const canvas = part("strips");
    const { spot } = hand;
    const slot = spot?.slot ?? 0;
    const i = d && spot ? regionUnder(slot, spot) : -1;
    const high = d ? d.sizes.length * 13 : 13;
    if (canvas.style.height !== `${high}px`) canvas.style.height = `${high}px`;
    if (i < 0) return;
    const p = shown[slot];
    let start = 0;
    d.sizes.forEach((n, l) => {
      const cell = Math.min((width - 62) / n, 9);
      let won = 0;
      for (let j = 0; j < n; j++) {
        const on = p.patterns[i * p.bits + start + (j >> 3)] & (128 >> (j & 7));
        if (on) won += 1;
        g.fillStyle = on ? colours.text : colours.panel;
        g.fillRect(j * cell, l * 13 + (on ? 0 : 3), Math.max(cell - (cell > 3 ? 1 : 0), 0.5), on ? 11 : 5);
      }
      canvasSurface(g, colours.font).text(n * cell + 6, l * 13 + 6, `${won} of ${n}`, { size: 12, fill: colours.text });
      start += (n + 7) >> 3;
    });
  });

  // ----- the hand

  const changed = () => {
    box.classList.toggle("zoomed", plane.view.half < 1);
    draw();
  };
  const hand = planeHand(stages, plane, {
    isReady: () => Boolean(d && setting),
    halt: () => ladder.halt(),
    calm: () => ladder.tour && ladder.halt(),
    pointed() {
      if (hand.hover) pointed = performance.now();
      repaint();
      info();
    },
    clicked(spot) {
      const { pinned } = hand;
      const again = pinned?.slot === spot.slot && regionUnder(spot.slot, pinned) === regionUnder(spot.slot, spot);
      hand.pinned = again ? null : spot;
    },
    changed, moved, rested,
  });
  const thumb = planeThumb(part("thumb"), () => setting, hand);

  part("rung").addEventListener("input", (event) => { ladder.halt(); ladder.to(Number(event.target.value)); });
  part("rung").addEventListener("change", () => moved(false));
  part("other").addEventListener("input", (event) => {
    state.other = Number(event.target.value);
    ladder.gentle = false;
    draw();
    if (!isHere(state.other)) moved(true);
    rested();
  });
  const whole = () => { plane.view = wholeWindow(); look(); draw(); moved(false); };
  part("chart").onclick = (event) => {
    if (!d) return;
    ladder.halt();
    const { x } = places(part("chart").clientWidth, part("chart").clientHeight);
    ladder.to(rungNear(event, rungs(), (rung) => x(d.rungs[rung][0])));
  };

  function choose(key, value) {
    if (ladder.tour) ladder.goHome();
    ladder.halt();
    state[key] = value;
    if (OF_PLANE.includes(key)) { plane.view = wholeWindow(); hand.pinned = null; }
    look();
    draw();
    moved(false);
  }
  part("fresh").onclick = () => {
    fresh = 1 + Math.floor(9999 * Math.random());
    moved();
  };
  const controls = planeControls(root, { state: () => state, setting: () => setting, choose });

  // ----- to keep

  function paintAll(s, width, height) {
    const n = state.beside === "alone" ? 1 : 2;
    const side = (width - 16 * (n - 1)) / n;
    slots().slice(0, n).forEach((_, slot) => {
      const left = slot * (side + 16);
      const p = shown[slot];
      const look = lookOf();
      const to = plane.transform(side);
      const [main, more] = caption(slot);
      s.text(left, 12, main, { size: 17, weight: 700, fill: colours.text });
      s.text(left, 32, `${more} · ${domainText()}`, { size: 12, fill: colours.text });
      if (p) exported(s, p, { s: to.s, ox: to.ox + left, oy: to.oy + 46 }, look);
    });
  }

  // The same picture, polygon by polygon, on a surface that is no canvas; graded fills become their mean.
  function exported(s, p, to, look) {
    const onPage = ([x, y]) => [to.ox + to.s * x, to.oy - to.s * y];
    const flat = look.colours?.(p);
    const mean = (i, polygon) => {
      const f = polygon.reduce((sum, [x, y]) => sum + mapAt(p, i, state.logit, x, y), 0) / polygon.length;
      return viridis((f - look.range[0]) / Math.max(look.range[1] - look.range[0], 1e-300));
    };
    if (look.mode === "class") for (const [o, polygon] of classParts(p)) s.polygon(polygon.map(onPage), { fill: look.classes[o % look.classes.length] });
    for (let i = 0; i < p.n; i++) {
      const polygon = polygonOf(p, i);
      const fill = look.mode === "class" || look.mode === "layer" ? undefined : flat ? css(flat[i]) : mean(i, polygon);
      if (fill) s.polygon(polygon.map(onPage), { fill });
    }
    const vertex = (v) => onPage([p.points[2 * v], p.points[2 * v + 1]]);
    eachEdge(p, (layer, a, b) => s.line(...vertex(a), ...vertex(b), { stroke: look.mode === "layer" ? look.layers[(layer - 1) % look.layers.length] : look.ink, width: 1.6 / Math.sqrt(layer) }));
  }
  const shape = () => { const side = stages[0].clientWidth; const n = state.beside === "alone" ? 1 : 2; return [n * side + 16 * (n - 1), side + 50]; };
  part("png").onclick = () => d && savedPng("kwta-regions.png", ...shape(), colours, paintAll);
  part("svg").onclick = () => d && savedSvg("kwta-regions.svg", ...shape(), colours, paintAll);

  const resize = new ResizeObserver(() => { if (state && d) { fit(); } });
  resize.observe(box);
  const stops = [
    ...fits.map((f) => f.stop), marks.stop, chart.stop, strips.stop, thumb.stop,
    whenThemeChanges(root, () => { colours = theme(root); fills = classFills(colours); bitmaps = [null, null]; painted = [null, null]; draw(); }),
    planeKeys(root, plane, ladder, hand, whole, () => Boolean(d && setting)),
    () => listens.abort(), () => resize.disconnect(), ladder.stop, () => clearTimeout(timer), () => clearTimeout(resting),
  ];

  return { update: inTurn(receive), destroy: () => stops.forEach((stop) => stop()) };
});
