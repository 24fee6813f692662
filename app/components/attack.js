// Three attacks on one input, step by step: what they change, what the network says, their way over its exact regions, and
// the gradient there beside the smoothed one. ε, γ and the input are under the hand.
//
// data: bytes, see app/compute/attack_answer.py; places of the attacks stay here, so that playing asks nobody. Reports moved:
// { seq, moving, poll, …the controls, have, scene, points } at most every 50 ms while the hand moves and once at the end; where
// the answer before names a path (`answers`), plain requests to it are answered without a run of the page.

const POLL = 250; // ms between an answer and the next question while training
const AGAIN = 30; // the same while attacks go on
const COLUMNS = ["white", "black", "adaptive"];
const TITLES = { white: "White-box", black: "Black-box", adaptive: "Adaptive" };
const NAMES = { pgd: "PGD", fgsm: "FGSM", mim: "MI-FGSM", square: "Square", random_search: "random search", noise: "random noise", adaptive: "smoothed gradient" };
const EPS_STEPS = 200; // of the slider
const NARROW = 640;
const FIELDS = [["index", "image"], ["stride", "stride"], ["steps", "steps"], ["queries", "queries"]]; // and their controls
const LINGER = 10_000; // ms for which the range of a field is told once it is left
const PARTS = 4; // of a plane: paths, cells, two fields

const signed = (x, digits = 3) => (x > 0 ? "+" : "") + number(x, digits);
const best = (values) => values.reduce((top, v, i) => (v > values[top] ? i : top), 0);
const four = (x) => +x.toPrecision(4);

async function unpacked(bytes) {
  const { header: h, body } = headed(await unzipped(bytes));
  const r = reader(body);
  const take = (n, kind = Float32Array) => r.take(n, kind);
  const size = product(h.shape), classes = h.classes.length;
  h.victim.x = take(size);
  for (const name of COLUMNS) {
    const c = h.columns[name];
    const logits = c.places.map(() => take(classes));
    c.places.forEach((p, i) => (p.logits = logits[i]));
    for (const p of c.places) p.delta = take(size);
    if (!c.way || c.way.why) continue;
    Object.assign(c.way, { step: take(c.way.n, Int32Array), share: take(c.way.n), layer: take(c.way.n, Uint8Array) });
    Object.assign(c.way, { slopes: take(c.way.ways * classes), jumps: take(c.way.ways * classes) });
  }
  for (const part of h.scene?.parts ?? []) {
    if (part.kind === "paths") {
      part.u = part.places.map((n) => {
        const u = take(2 * n);
        return { u, away: take(n) };
      });
      part.outline = pairs(take(2 * part.outline));
    } else if (part.kind === "cells") {
      Object.assign(part, { points: take(2 * part.vertices), maps: take(3 * part.n * part.outputs), sides: take(part.n, Int32Array), edges: take(part.vertices, Uint8Array) });
      part.offsets = offsetsOf(part.sides);
    } else if (part.kind === "field") {
      Object.assign(part, { places: take(2 * part.n), arrows: take(2 * part.n) });
    }
  }
  if (h.points) h.training_points = { places: take(2 * h.points), labels: take(h.points, Uint8Array) };
  return h;
}

const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);

function palette(root) {
  const c = theme(root);
  const columns = c.dark ? { white: "#FF8A5C", black: "#D8DEE4", adaptive: "#2FD0A0" } : { white: "#C2410C", black: "#333D46", adaptive: "#00805F" };
  return { ...c, columns };
}

// Polygons of one class each, and the edges as [layer, from, to].
function prepared(cells) {
  const edges = [], at = (v) => [cells.points[2 * v], cells.points[2 * v + 1]];
  eachEdge(cells, (layer, a, b) => edges.push([layer, at(a), at(b)]));
  return { parts: classParts(cells), edges };
}

export default mounted((root, send) => {
  const part = (name) => root.querySelector(`.${name}`);
  const box = part("attack"), stage = part("stage");
  let d = null, state = null;
  let columns = {}; // name → the attack that is shown, with all its places so far
  let scene = { key: "", parts: [] };
  let points = null; // of the training data
  let place = 0, playing = false, started = false;
  let drag = null, untold = false, spoken = 0;
  let hits = []; // rectangles of the picture that mean something
  let plot = null; // where the map is, for the hand
  let hover = null;
  let colours = palette(root);
  let arrived = ""; // the white-box attack that was painted last

  // ----- talking with the page

  const had = (c) => (c ? [c.key, c.places.length, Boolean(c.way)] : ["", 0, false]);
  const talk = reports(send, {
    values: () => ({ ...state, have: Object.fromEntries(COLUMNS.map((name) => [name, had(columns[name])])), scene: [scene.key, scene.parts.length], points: points?.name ?? "" }),
    wants: () => (!d || isComplete() ? null : d.training.done ? AGAIN : POLL),
    busy: () => Boolean(drag),
    before: () => (untold = false),
    answers: () => d?.answers ?? "",
    async take(bytes, isLate) {
      const next = await unpacked(bytes);
      if (next.answers !== d.answers || isLate()) talk.answered(next.seq, false); // to the page as it was before
      else arrive(next, true);
    },
  });
  const { moved, movedByKey, rested } = talk;
  const isComplete = () => d.training.done && points && COLUMNS.every((name) => columns[name].whole && columns[name].way) && isMapped();
  const isMapped = () => scene.error || (scene.parts.length >= PARTS && isOfThese(scene) && scene.across === state.across && (scene.across === "ends" || d.planar || scene.column === state.column));
  const isOfThese = (s) => COLUMNS.every((name, i) => s.attempts?.[i] === columns[name]?.key);

  // isEcho: what it says of the controls is what the hand has told.
  function adopt(next, isEcho) {
    const isOwn = !state || talk.isOwn(next.seq) || next.data !== d?.data;
    talk.answered(next.seq, isOwn);
    if (!isOwn && !drag && state && next.columns.white.key !== columns.white?.key) return; // overtaken
    if (next.data !== d?.data) {
      columns = {};
      scene = { key: "", parts: [] };
      points = null;
    }
    d = next;
    if (isOwn && !isEcho && !drag && !talk.resting && !untold) state = { ...next.state };
    for (const name of COLUMNS) adoptColumn(name, next.columns[name]);
    if (next.scene) adoptScene(next.scene, next.state);
    if (next.points !== undefined) points = { ...(next.training_points ?? {}), name: next.data };
    if (!started) begin();
    if (!playing && state.at < 0) place = last();
    const white = columns.white;
    Object.assign(box.dataset, { seq: d.seq, key: white.key, done: d.training.done, complete: Boolean(isComplete()), own: isOwn });
    talk.poll();
  }

  function arrive(next, isEcho = false) {
    adopt(next, isEcho);
    draw();
    if (!playing) speak();
  }

  function adoptColumn(name, c) {
    const known = columns[name];
    if (known?.key === c.key) {
      known.places.push(...c.places.slice(Math.max(known.places.length - c.start, 0)));
      Object.assign(known, { whole: c.whole, error: c.error, confirmed: c.confirmed, way: c.way ?? known.way });
    } else if (c.start === 0) {
      columns[name] = c;
      c.stale = c.places.length === 0 && !c.whole ? known?.stale ?? known : null; // shown until its own places are here
    }
    const now = columns[name];
    if (now.places.length) now.stale = null;
    now.fooled = now.places.findIndex((p) => p.says !== d.victim.label);
  }

  function adoptScene(next, said) {
    if (next.key !== scene.key) scene = { ...next, parts: [] };
    scene.parts.push(...next.parts.slice(Math.max(scene.parts.length - next.start, 0)));
    Object.assign(scene, { error: next.error, across: said.across, column: said.column });
    const cells = scene.parts.find((p) => p.kind === "cells");
    if (cells && !cells.ready) cells.ready = prepared(cells);
  }

  function begin() {
    started = true;
    if (state.at >= 0) place = state.at;
    else if (reducedMotion()) place = last();
    else {
      playing = true;
      clock.start();
    }
  }

  // ----- what is shown

  const shown = (name) => columns[name]?.stale ?? columns[name];
  const steps = () => Math.max(0, ...COLUMNS.map((name) => (shown(name)?.places.length ?? 1) - 1));
  const last = () => Math.max(1, steps()); // of the slider, which has two ends
  const isAtEnd = () => place >= last();
  const at = (c) => (c?.places.length ? Math.min(Math.round(Math.floor(place)), c.places.length - 1) : -1);
  const here = (name) => {
    const c = shown(name);
    return c ? c.places[at(c)] : undefined;
  };
  const chosen = () => state.column;
  const title = (name) => {
    const c = columns[name];
    return `${TITLES[name]}: ${NAMES[c.name] ?? (name === "adaptive" ? { neighbours: "neighbours’ mean", straight: "straight-through", soft: "soft top-k" }[state.adaptive] : NAMES[state[name]])}`;
  };
  // Against which class the margin is at the end of an attack.
  function rival(c) {
    const logits = c.places[c.places.length - 1].logits;
    return best([...logits].map((v, i) => (i === d.victim.label ? -Infinity : v)));
  }
  // What slopes and jumps have added to z_rival − z_label, up to a place.
  function gained(c, upto) {
    const o = rival(c), n = d.classes.length, y = d.victim.label;
    const sum = (values) => {
      let total = 0;
      for (let w = 0; w <= upto; w++) total += values[w * n + o] - values[w * n + y];
      return total;
    };
    return { slopes: sum(c.way.slopes), jumps: sum(c.way.jumps) };
  }
  const crossed = (c, upto) => c.way.step.reduce((n, w) => n + (w <= upto ? 1 : 0), 0);
  const counts = (c) => c.way && !c.way.why && c.whole && c.places.length;

  function verdict(c) {
    if (c.error) return c.error;
    if (!c.places.length) return "starts …";
    const end = c.places[c.places.length - 1], says = d.classes[end.says];
    if (c.fooled === 0 && c.places[0].distance === 0) return `wrong without attack: says ${says}`;
    if (c.fooled >= 0) return `fooled at ${whenOf(c, c.fooled)}: says ${d.classes[c.places[c.fooled].says]}`;
    return c.whole ? `not fooled in ${c.budget}` : `${whenOf(c, c.places.length - 1)} of ${c.budget}`;
  }
  const isSearch = (c) => c === shown("black");
  const whenOf = (c, i) => (isSearch(c) ? `query ${thousands(c.places[i].queries)}` : `step ${c.places[i].step}`);

  // ----- drawing

  function layout(width, height) {
    const narrow = width < NARROW, gap = 14;
    if (narrow) {
      const clean = { x: 0, y: 0, w: width, h: 96 };
      const high = 196;
      const cards = COLUMNS.map((_, i) => ({ x: 0, y: 108 + i * (high + 10), w: width, h: high }));
      const top = 108 + 3 * (high + 10);
      const side = (width - gap) / 2;
      const maps = [{ x: 0, y: top + 20, side: width }, { x: 0, y: top + width + 44, side }, { x: side + gap, y: top + width + 44, side }];
      return { narrow, clean, cards, maps, facts: null, height: top + width + side + 52 };
    }
    const first = Math.round(clampTo(0.13 * width, 104, 150)), wide = (width - first - 3 * gap) / 3, high = 212;
    const cards = COLUMNS.map((_, i) => ({ x: first + gap + i * (wide + gap), y: 0, w: wide, h: high }));
    const side = clampTo(height - high - 36, 140, (width - 3 * gap - 150) / 3);
    const top = high + 34;
    const maps = [0, 1, 2].map((i) => ({ x: i * (side + gap), y: top, side }));
    return { narrow, clean: { x: 0, y: 0, w: first, h: high }, cards, maps, facts: { x: 3 * (side + gap), y: top, w: width - 3 * (side + gap), h: side }, height: top + side + 2 };
  }

  function paint(s, width, height, live) {
    const a = layout(width, height);
    if (live) hits = [];
    paintClean(s, a.clean, a.narrow);
    COLUMNS.forEach((name, i) => paintCard(s, a.cards[i], name, live));
    paintMaps(s, a, live);
    if (a.facts) paintFacts(s, a.facts);
  }

  const text = (s, x, y, words, more = {}) => s.text(x, y, words, { size: 14, fill: colours.text, ...more });

  // The first of these wordings that fits; the last one is cut where it would leave its place.
  function fit(s, wordings, width, look) {
    const all = [wordings].flat(), found = all.find((words) => s.measure(words, look) <= width);
    if (found !== undefined) return found;
    let cut = all[all.length - 1];
    while (cut.length > 1 && s.measure(`${cut}…`, look) > width) cut = cut.slice(0, -1);
    return `${cut}…`;
  }

  // Pictures are drawn pixel by pixel, rows of equal colour at once, so that they can be kept as SVG.
  function paintPixels(s, x, y, side, colourOf) {
    const [, h, w] = d.shape, cell = side / Math.max(h, w);
    for (let r = 0; r < h; r++) {
      for (let c = 0; c < w; c++) {
        const colour = colourOf(r * w + c);
        let end = c + 1;
        while (end < w && colourOf(r * w + end) === colour) end++;
        s.rect(x + c * cell, y + r * cell, (end - c) * cell + 0.4, cell + 0.4, { fill: colour });
        c = end - 1;
      }
    }
    s.rect(x, y, w * cell, h * cell, { stroke: colours.border, width: 1 });
  }

  const channel = (value) => Math.round(255 * clampTo((value - d.box[0]) / (d.box[1] - d.box[0]), 0, 1));
  function pictureColour(values) {
    const size = d.shape[1] * d.shape[2], rgb = d.shape[0] === 3;
    return (p) => `rgb(${[0, 1, 2].map((c) => channel(values(p + (rgb ? c * size : 0)))).join()})`;
  }
  // Orange up, blue down, the background for none; several channels by their mean.
  function deltaColour(delta, full) {
    const size = d.shape[1] * d.shape[2], n = d.shape[0];
    const [r0, g0, b0] = colours.dark ? [24, 28, 32] : [255, 255, 255];
    const up = colours.dark ? [240, 160, 43] : [217, 115, 0], down = colours.dark ? [86, 180, 233] : [0, 114, 178];
    return (p) => {
      let v = 0;
      for (let c = 0; c < n; c++) v += delta[p + c * size] / n;
      const t = clampTo(Math.abs(v) / full, 0, 1), to = v > 0 ? up : down;
      return `rgb(${[r0, g0, b0].map((from, i) => Math.round(from + t * (to[i] - from))).join()})`;
    };
  }

  function fullScale(delta) {
    if (state.magnified !== "max") return (d.box[1] - d.box[0]) / Number(state.magnified);
    return delta.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-12);
  }

  function paintPoint(s, x, y, side, delta) {
    const [low, high] = d.box, place = (v) => (v - low) / (high - low);
    const to = (v, w) => [x + place(v) * side, y + (1 - place(w)) * side];
    s.rect(x, y, side, side, { stroke: colours.border });
    const [u, v] = d.victim.x;
    s.circle(...to(u, v), 4, { stroke: colours.text, width: 1.5 });
    if (!delta) return;
    s.line(...to(u, v), ...to(u + delta[0], v + delta[1]), { stroke: colours.text, width: 1.5 });
    s.circle(...to(u + delta[0], v + delta[1]), 3.5, { fill: colours.text });
  }

  function paintClean(s, a, narrow) {
    const v = d.victim, says = best(v.logits);
    const words = /^\d+$/.test(v.name) ? `x: test ${d.planar ? "point" : "input"} ${v.name}` : d.planar ? `x = (${v.name})` : "x: drawn";
    text(s, a.x, 10, fit(s, words, a.w, { size: 15, weight: 600 }), { size: 15, weight: 600 });
    const side = narrow ? 74 : Math.min(a.w - 8, 84);
    if (d.planar) paintPoint(s, a.x, 22, side, null);
    else paintPixels(s, a.x, 22, side, pictureColour((p) => v.x[p]));
    const label = v.own ? `label ${d.classes[v.label]}` : `taken as ${d.classes[v.label]}`;
    const [x, y] = narrow ? [a.x + side + 12, 32] : [a.x, 24 + side + 12];
    text(s, x, y, fit(s, label, a.w, { size: 15 }), { size: 15, weight: 600, fill: colours.classes[v.label % 10] });
    text(s, x, y + 18, fit(s, `network: ${d.classes[says]}`, a.w, { size: 14 }));
    text(s, x, y + 36, fit(s, `margin ${number(marginOf(v.logits))}`, a.w, { size: 14 }));
    if (!narrow) paintBars(s, { x: a.x, y: y + 48, w: a.w - 4, h: a.h - y - 48 }, v.logits);
  }

  const marginOf = (logits) => Math.max(...[...logits].filter((_, i) => i !== d.victim.label)) - logits[d.victim.label];

  function softmax(logits) {
    const top = Math.max(...logits), e = [...logits].map((v) => Math.exp(v - top)), sum = e.reduce((a, b) => a + b, 0);
    return e.map((v) => v / sum);
  }

  // The probability of each class.
  function paintBars(s, a, logits) {
    const p = softmax(logits), wide = a.w / p.length, base = a.y + a.h - 13, top = best(p);
    s.line(a.x, base, a.x + a.w, base, { stroke: colours.text, alpha: 0.4 });
    p.forEach((share, i) => {
      const high = Math.max(share * (base - a.y), 0.8);
      s.rect(a.x + i * wide + 1, base - high, Math.max(wide - 2, 1), high, { fill: colours.classes[i % 10], alpha: i === top ? 1 : 0.75 });
      const strong = i === top || i === d.victim.label;
      if (wide > 8) text(s, a.x + (i + 0.5) * wide, base + 8, String(d.classes[i]).slice(0, Math.max(1, Math.floor(wide / 7))), { size: 11, align: "middle", weight: strong ? 700 : 400 });
    });
  }

  function paintCard(s, a, name, live) {
    const c = shown(name), p = here(name), colour = colours.columns[name], own = columns[name];
    const isChosen = name === chosen();
    s.rect(a.x, a.y, a.w, a.h - 4, { stroke: isChosen ? colour : colours.border, width: isChosen ? 2 : 1, radius: 5 });
    if (live) hits.push({ ...a, call: () => choose(name) });
    const x = a.x + 8, w = a.w - 16;
    text(s, x, a.y + 13, fit(s, title(name), w, { size: 15, weight: 600 }), { size: 15, weight: 600, fill: colour });
    text(s, x, a.y + 32, fit(s, verdict(own), w, { size: 14, weight: 700 }), { size: 14, weight: own.fooled >= 0 ? 700 : 400 });
    if (!p) return;
    const side = Math.min(74, (w - 60) / 2.6), y = a.y + 44;
    if (d.planar) paintPoint(s, x, y, side, p.delta);
    else {
      paintPixels(s, x, y, side, deltaColour(p.delta, fullScale(p.delta)));
      paintPixels(s, x + side + 6, y, side, pictureColour((i) => d.victim.x[i] + p.delta[i]));
    }
    const images = d.planar ? 1 : 2;
    text(s, x + side / 2, y + side + 9, d.planar ? "x + δ" : "δ", { size: 12, align: "middle" });
    if (!d.planar) text(s, x + 1.5 * side + 6, y + side + 9, `x + δ: ${d.classes[p.says]}`, { size: 12, align: "middle", weight: 600, fill: colours.classes[p.says % 10] });
    const left = x + images * (side + 6) + 4;
    paintBars(s, { x: left, y, w: a.x + a.w - 8 - left, h: side + 14 }, p.logits);
    const after = y + side + 20;
    paintCurve(s, { x, y: after, w, h: a.y + a.h - 26 - after }, c, colour);
    if (counts(c)) {
      const sum = gained(c, Math.min(at(c), c.way.ways - 1)), words = `slopes ${signed(sum.slopes, 2)}, jumps ${signed(sum.jumps, 2)}`;
      text(s, x, a.y + a.h - 15, fit(s, [`margin ${number(p.margin)}: ${words}`, words, `margin ${number(p.margin)}`], w, { size: 13 }), { size: 13 });
    } else text(s, x, a.y + a.h - 15, fit(s, [`margin ${number(p.margin)} · ${thousands(p.queries)} queries`, `margin ${number(p.margin)}`], w, { size: 13 }), { size: 13 });
    // What the hand has left behind, until there is something newer.
    if (own.stale && drag) s.rect(a.x + 2, a.y + 42, a.w - 4, a.h - 48, { fill: colours.background, alpha: 0.55 });
  }

  // Margin (fooled above 0) or loss along the steps; black-box attacks climb the margin.
  function paintCurve(s, a, c, colour) {
    const key = state.curve, values = c.places.map((p) => p[key]);
    if (!values.length) return;
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (key === "margin") [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    const pad = 0.08 * (high - low) || 1;
    const most = Math.max(c.whole ? 1 : 20, c.places.length - 1);
    const px = (i) => a.x + (i / most) * (a.w - 36), py = (v) => a.y + a.h - ((v - low + pad) / (high - low + 2 * pad)) * a.h;
    if (key === "margin") {
      s.line(a.x, py(0), a.x + a.w - 36, py(0), { stroke: colours.text, alpha: 0.5, dash: [3, 3] });
      text(s, a.x + a.w, py(0), "0", { size: 11, align: "end" });
    }
    const text0 = py(values[0]);
    if (Math.abs(text0 - py(0)) > 11 || key === "loss") text(s, a.x + a.w, clampTo(text0, a.y + 6, a.y + a.h - 6), number(values[0], 2), { size: 11, align: "end", alpha: 0.8 });
    for (let i = 1; i < values.length; i++) s.line(px(i - 1), py(values[i - 1]), px(i), py(values[i]), { stroke: colour, width: 2 });
    const i = at(c);
    s.line(px(i), a.y, px(i), a.y + a.h, { stroke: colours.text, alpha: 0.25 });
    s.circle(px(i), py(values[i]), 3.5, { fill: colour, stroke: colours.background, width: 1 });
  }

  // ----- the plane

  const partOf = (kind, i = 0) => scene.parts.filter((p) => p.kind === kind)[i];

  function paintMaps(s, a, live) {
    const paths = partOf("paths"), cells = partOf("cells"), none = partOf("none");
    const apart = partOf("field", 1)?.apart;
    const turned = apart ? `, ${fixed(apart, 0)}° off` : "";
    const smoothed = [`smoothed gradient, σ = ${number(d.sigma, 2)}${turned}`, `smoothed gradient${turned}`, `smoothed${turned}`, "smoothed"];
    const names = [["ways over the exact regions", "ways over regions", "ways"], ["exact gradient", "gradient"], smoothed];
    a.maps.forEach((m, i) => {
      text(s, m.x, m.y - 10, fit(s, names[i], m.side, { size: 14, weight: 600 }), { weight: 600 });
      s.rect(m.x, m.y, m.side, m.side, { stroke: colours.border });
      const to = ([u, v]) => [m.x + ((u + 1) / 2) * m.side, m.y + ((1 - v) / 2) * m.side];
      const fresh = isOfThese(scene);
      if (!paths) {
        const why = scene.error || (d.training.done ? "drawn when the attacks have ended" : d.training.words);
        text(s, m.x + m.side / 2, m.y + m.side / 2, fit(s, why, m.side - 12, { size: 13 }), { size: 13, align: "middle", alpha: 0.75 });
        return;
      }
      if (cells) paintCells(s, cells, to, m, fresh ? 1 : d.planar ? 0.8 : 0.45);
      else if (none && !i) text(s, m.x + 8, m.y + 14, fit(s, none.why, m.side - 12, { size: 12 }), { size: 12 });
      if (paths.outline.length > 2 && !i && fresh) s.polygon(paths.outline.map(to), { stroke: colours.text, width: 1.5, dash: [6, 4], alpha: 0.8 });
      if (!i) {
        if (d.planar) paintPoints(s, paths, to, m);
        if (fresh || d.planar) paintPaths(s, paths, to);
        if (live) plot = { ...m, paths };
      } else {
        const field = partOf("field", i - 1);
        if (field) paintField(s, field, to, m);
        else text(s, m.x + m.side / 2, m.y + m.side / 2, "…", { align: "middle" });
      }
    });
  }

  function paintCells(s, cells, to, m, alpha) {
    s.clip?.(m.x, m.y, m.side, m.side);
    for (const [o, polygon] of cells.ready.parts) s.polygon(polygon.map(to), { fill: colours.classes[o % 10], alpha: 0.3 * alpha });
    for (const [layer, from, end] of cells.ready.edges) s.line(...to(from), ...to(end), { stroke: colours.text, width: 1.2 / Math.sqrt(layer), alpha: 0.5 * alpha });
    s.unclip?.();
  }

  // Points of the plane itself in the square of the map, also before the map of a new point is here.
  const onMap = (paths, x) => x.map((v, k) => (v - paths.low[k]) / paths.half - 1);
  const xOn = (paths) => (d.planar ? onMap(paths, [...d.victim.x]) : paths.at);
  const wayOn = (paths, name, i) =>
    d.planar ? shown(name).places.map((p) => onMap(paths, [d.victim.x[0] + p.delta[0], d.victim.x[1] + p.delta[1]])) : pairs(paths.u[i].u);

  function paintPoints(s, paths, to, m) {
    s.clip?.(m.x, m.y, m.side, m.side);
    for (let i = 0; i < (points?.labels?.length ?? 0); i++) {
      const u = onMap(paths, [points.places[2 * i], points.places[2 * i + 1]]);
      if (Math.max(Math.abs(u[0]), Math.abs(u[1])) < 1) s.circle(...to(u), 2.2, { fill: colours.classes[points.labels[i] % 10], alpha: 0.9 });
    }
    s.unclip?.();
  }

  function paintPaths(s, paths, to) {
    const order = COLUMNS.map((name, i) => [name, i]).sort(([a], [b]) => (a === chosen()) - (b === chosen()));
    for (const [name, i] of order) paintPath(s, name, wayOn(paths, name, i), xOn(paths), to);
    s.circle(...to(xOn(paths)), 5, { fill: colours.background, stroke: colours.text, width: 2 });
    text(s, to(xOn(paths))[0] + 8, to(xOn(paths))[1] + 9, "x", { size: 15, weight: 700, italic: true });
  }

  function paintPath(s, name, u, x, to) {
    const c = shown(name), upto = at(c), strong = name === chosen(), colour = colours.columns[name];
    const spots = [x, ...u].map(to);
    for (let i = 1; i < spots.length; i++) {
      const done = i <= upto + 1;
      s.line(...spots[i - 1], ...spots[i], { stroke: colour, width: strong ? 2.6 : 1.4, alpha: done ? (strong ? 1 : 0.8) : 0.3, dash: i === 1 ? [4, 3] : undefined });
    }
    if (strong && c.way && !c.way.why) {
      for (let b = 0; b < c.way.n; b++) {
        const w = c.way.step[b], t = c.way.share[b];
        if (w > upto || w + 1 >= spots.length) continue;
        const [px, py] = [0, 1].map((k) => spots[w][k] + t * (spots[w + 1][k] - spots[w][k]));
        const ink = colours.layers[c.way.layer[b] % colours.layers.length];
        s.polygon([[px - 4.5, py], [px, py - 4.5], [px + 4.5, py], [px, py + 4.5]], { fill: ink, stroke: colours.background, width: 1 });
      }
    }
    const end = spots[Math.min(upto + 1, spots.length - 1)];
    s.circle(...end, strong ? 5.5 : 4, { fill: colour, stroke: colours.background, width: 1.5 });
  }

  // Arrows along the plane; the longest one of a field fills its place.
  function paintField(s, field, to, m) {
    let most = 1e-30;
    for (let i = 0; i < field.n; i++) most = Math.max(most, Math.hypot(field.arrows[2 * i], field.arrows[2 * i + 1]));
    const room = (0.92 * m.side) / Math.sqrt(field.n);
    for (let i = 0; i < field.n; i++) {
      const [gx, gy] = [field.arrows[2 * i], -field.arrows[2 * i + 1]], size = Math.hypot(gx, gy);
      const [x, y] = to([field.places[2 * i], field.places[2 * i + 1]]);
      if (!size) {
        s.circle(x, y, 1.5, { fill: colours.text, alpha: 0.5 });
        continue;
      }
      const long = room * Math.max(Math.sqrt(size / most), 0.25), [ux, uy] = [gx / size, gy / size];
      const tip = [x + (long / 2) * ux, y + (long / 2) * uy], head = Math.min(5, 0.45 * long);
      s.line(x - (long / 2) * ux, y - (long / 2) * uy, ...tip, { stroke: colours.text, width: 1.3 });
      s.polygon([tip, [tip[0] - head * (ux + 0.5 * uy), tip[1] - head * (uy - 0.5 * ux)], [tip[0] - head * (ux - 0.5 * uy), tip[1] - head * (uy + 0.5 * ux)]], { fill: colours.text });
    }
  }

  // How far a place is off the plane; what is only rounding is nothing.
  function off(way, i) {
    const away = way.away[Math.min(i, way.away.length - 1)];
    return number(away < 1e-6 ? 0 : away, 2);
  }

  function paintFacts(s, a) {
    const c = shown(chosen()), p = here(chosen());
    if (!p || a.w < 90) return;
    const i = at(c);
    const rows = [[title(chosen()).split(": ")[1], whenOf(c, i)], ["queries", thousands(p.queries)], ["loss", number(p.loss)], ["margin", number(p.margin)]];
    rows.push([`‖δ‖ ${state.ball === "linf" ? "∞" : "₂"}`, number(p.distance)]);
    if (p.norm !== null) rows.push(["‖gradient‖", number(p.norm, 2)]);
    if (p.turn !== null) rows.push(["it turned by", `${fixed(p.turn, 0)}°`]);
    d.sizes.forEach((n, l) => rows.push([[`units switched in this step, layer ${l + 1}`, `units switched, layer ${l + 1}`, `switched, layer ${l + 1}`, `layer ${l + 1}`], `${p.changes[l]} of ${n}`]));
    if (counts(c)) rows.push(["borders crossed", String(crossed(c, i))]);
    const paths = partOf("paths"), j = COLUMNS.indexOf(chosen());
    if (paths && isOfThese(scene) && !d.planar) rows.push(["off the plane", off(paths.u[j], i)]);
    const step = Math.min(19, a.h / rows.length);
    rows.forEach(([name, value], r) => {
      text(s, a.x, a.y + 8 + r * step, fit(s, name, a.w - 50, { size: 13 }), { size: 13, weight: r ? 400 : 700, fill: r ? colours.text : colours.columns[chosen()] });
      text(s, a.x + a.w, a.y + 8 + r * step, value, { size: 13, align: "end", weight: 600 });
    });
  }

  const surface = fitted(stage, (context, width, height) => {
    if (!d || !columns.white) return;
    const s = canvasSurface(context, colours.font);
    s.clip = (x, y, w, h) => {
      context.save();
      context.beginPath();
      context.rect(x, y, w, h);
      context.clip();
    };
    s.unclip = () => context.restore();
    const began = performance.now();
    paint(s, width, height, true);
    box.dataset.painted = fixed(performance.now() - began, 1);
    if (arrived !== columns.white.key && columns.white.places.length > 1 && at(columns.white) > 0) {
      arrived = columns.white.key;
      box.dataset.shown = arrived;
    }
  });

  // ----- words

  const gammaOf = (rung) => (d.ladder[rung][0] <= d.home && d.home <= d.ladder[rung][1] ? d.home : d.ladder[rung][0]);
  const rungOf = (gamma) => d.ladder.reduce((found, r, i) => (r[0] <= gamma + 1e-9 ? i : found), 0);

  function look() {
    box.className = ["kwta attack", d.planar ? "planar" : "", state.bare ? "bare" : "", state.who, state.white === "fgsm" ? "once" : "", state.white !== "pgd" ? "fixed" : ""].join(" ");
    for (const group of root.querySelectorAll(".choice")) {
      for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.value === String(state[group.dataset.key])));
    }
    const losses = d.classes.length > 2 ? ["cross-entropy", "margin", "dlr"] : ["cross-entropy", "margin"];
    const select = root.querySelector('[data-key="loss"]');
    if (select.options.length !== losses.length) select.replaceChildren(...losses.map((l) => new Option({ dlr: "DLR" }[l] ?? l, l)));
    for (const one of root.querySelectorAll("select[data-key]")) one.value = state[one.dataset.key];
    part("eps").value = String(Math.round((EPS_STEPS * state.eps) / d.most));
    setText(part("eps-says"), number(state.eps, 4));
    part("eps").setAttribute("aria-valuetext", number(state.eps, 4));
    part("rung").max = String(d.ladder.length - 1);
    const rung = rungOf(state.agamma);
    part("rung").value = String(rung);
    const ks = d.ladder[rung][2].join(", ");
    setText(part("gamma-says"), `${fixed(state.agamma, 2)}, k = ${ks.length > 9 ? `${ks.slice(0, 8)}…` : ks}`);
    setText(part("gamma-home"), homeWords());
    part("rung").setAttribute("aria-valuetext", `γ = ${fixed(state.agamma, 2)}, k = ${ks}${homeWords() ? `; ${homeWords()}` : ""}`);
    for (const [name, key] of FIELDS) if (root.activeElement !== part(name)) part(name).value = fieldText(key);
    part("index").max = String(d.tests - 1);
    const progress = part("progress");
    progress.classList.toggle("done", d.training.done);
    progress.firstElementChild.value = d.training.share;
    setText(progress.lastElementChild, d.training.words);
    part("play").querySelector("path").setAttribute("d", playIcon(playing));
    setText(part("play").querySelector("span"), playing ? "Pause" : "Play");
    const width = stage.clientWidth || 900, room = clampTo(window.innerHeight - (state.bare ? 130 : 300), 370, 900);
    stage.style.height = `${Math.round(width < NARROW ? layout(width, room).height : Math.min(layout(width, room).height, room))}px`;
  }

  // γ of the shared controls, where the view's own is another one.
  function homeWords() {
    if (state.who === "relu" || d.home === null || fixed(state.agamma, 2) === fixed(d.home, 2) || !d.training.done) return "";
    const where = state.learned === "trained" ? "trained at" : state.bare ? "" : "sidebar:"; // while presenting there is none
    return where && `${where} γ = ${fixed(d.home, 2)}`;
  }

  const fieldText = (key) => (key === "image" && !/^\d+$/.test(state.image) ? "" : String(state[key]));

  function placeWords() {
    part("place").max = String(last());
    part("place").value = String(Math.floor(place));
    setText(part("place-says"), `step ${Math.min(Math.floor(place), steps())} of ${steps()}`);
    box.dataset.place = String(Math.floor(place));
  }

  // What the attacks found, in a sentence: as it is, whatever one expects.
  function seeWords() {
    const ended = COLUMNS.filter((name) => columns[name].whole && columns[name].places.length);
    if (!d.training.done) return `The network is still ${d.training.words}; the attacks run again on what it has learned so far.`;
    if (isWrongAtFirst()) return `The network is wrong here without any attack: it says ${d.classes[columns.white.places[0].says]}.`;
    if (ended.length < 3) return "The attacks are under way …";
    const found = (name) => (columns[name].fooled >= 0 ? `fools it at ${whenOf(columns[name], columns[name].fooled)}` : `does not fool it in ${columns[name].budget}`);
    const short = (name) => title(name).split(": ")[1];
    return `${short("white")} ${found("white")} (margin ${number(bestMargin("white"))}); ${short("black")} ${found("black")}; the ${short("adaptive")} ${found("adaptive")}.`;
  }
  const bestMargin = (name) => Math.max(...columns[name].places.map((p) => p.margin));

  function whyWords() {
    const [white, adaptive] = [columns.white, columns.adaptive];
    if (!d.training.done || isWrongAtFirst() || !counts(white) || !counts(adaptive)) return "";
    const [w, v] = [white, adaptive].map((c) => {
      const sum = gained(c, c.way.ways - 1);
      return { gap: `f[${d.classes[rival(c)]}] − f[${d.classes[d.victim.label]}]`, words: `${signed(sum.slopes, 2)} by slopes, ${signed(sum.jumps, 2)} by jumps` };
    });
    const start = `${w.gap} gains ${w.words} on the white-box way; ${v.gap === w.gap ? "" : `${v.gap} gains `}${v.words} on the adaptive one.`;
    return `${start} ${lesson()}`.trim();
  }
  // What one input can teach: whether gradients are masked, only many can tell.
  function lesson() {
    const isFooled = (name) => columns[name].fooled >= 0, smooth = state.who === "relu" ? "ReLU has no jumps" : hasJumps() ? "" : "Where all units win, there are no jumps";
    if (isFooled("white")) return smooth ? `${smooth}: slopes do it all.` : "Here the gradient is good enough: k-WTA hides the jumps from it, but not always the way.";
    if (!isFooled("black") && !isFooled("adaptive")) return columns.black.whole ? "No attack found an error within its budget; that proves nothing about stronger ones." : "";
    if (smooth) return `${smooth}. Still, the white-box attack can fail on one image: its way may end on a low hill of the loss, or be too short. The network is not robust here; one image does not show masking.`;
    return "A gradient sees the slope of its own region, not what lies behind its borders. The network is not robust here, the white-box attack only missed it: a hint of gradient masking. Many images decide, see Robustness.";
  }
  const hasJumps = () => d.ladder[rungOf(state.agamma)][2].some((k, l) => k < d.sizes[l]);
  const isWrongAtFirst = () => columns.white.fooled === 0 && columns.white.places[0]?.distance === 0;

  function readout() {
    if (hover) return hover;
    const name = chosen(), c = shown(name), p = here(name);
    if (!p) return "";
    const i = at(c), words = [`${title(name)}, ${whenOf(c, i)}: loss ${number(p.loss)}, margin ${number(p.margin)}, ${plural(p.queries, "query").replace("querys", "queries")}`];
    if (p.norm !== null) words.push(`gradient norm ${number(p.norm, 2)}${p.turn === null ? "" : `, turned by ${fixed(p.turn, 0)}°`}`);
    words.push(`units switched in this step: ${p.changes.map((n, l) => `${n} in layer ${l + 1}`).join(", ")}`);
    if (counts(c)) words.push(`${plural(crossed(c, i), "border")} crossed`);
    const paths = partOf("paths"), j = COLUMNS.indexOf(name);
    if (paths && isOfThese(scene) && !d.planar) words.push(`projected: ${off(paths.u[j], i)} off the plane`);
    const smooth = partOf("field", 1);
    if (smooth?.apart) words.push(`the two fields differ by ${fixed(smooth.apart, 0)}° on average`);
    return `${words.join("; ")}.`;
  }

  function words() {
    setText(part("see"), seeWords());
    setText(part("why"), whyWords());
    setText(part("readout"), readout());
    placeWords();
    for (const name of COLUMNS) box.dataset[name] = columns[name].fooled >= 0 ? `fooled ${columns[name].fooled}` : columns[name].whole ? "resists" : "…";
    stage.setAttribute("aria-label", `${seeWords()} Left and right arrow go a step, 1 to 3 choose the attack whose path is shown.`);
  }

  function draw() {
    if (!d || !columns.white) return;
    look();
    words();
    surface.redraw();
  }

  function speak() {
    clearTimeout(spoken);
    spoken = setTimeout(() => d && setText(part("spoken"), `${seeWords()} ${readout()}`), 900);
  }

  // ----- the hand

  const on = [];
  function listen(element, type, call, options) {
    element.addEventListener(type, call, options);
    on.push(() => element.removeEventListener(type, call, options));
  }

  const clock = frames((seconds) => {
    if (!playing || !d) return false;
    const before = Math.floor(place);
    place = Math.min(place + seconds * Number(part("speed").value), last());
    const whole = COLUMNS.every((name) => columns[name].whole);
    if (isAtEnd() && whole && d.training.done) {
      playing = false;
      draw();
      speak();
      return false;
    }
    if (Math.floor(place) !== before) {
      words();
      surface.redraw();
    }
    return true;
  });

  function toggle() {
    if (!d) return;
    playing = !playing;
    if (playing && isAtEnd()) place = 0;
    if (playing) clock.start();
    else keepPlace();
    draw();
  }

  function keepPlace() {
    state.at = isAtEnd() ? -1 : Math.floor(place);
    untold = true;
    rested();
  }

  function goTo(next) {
    playing = false;
    place = clampTo(Math.floor(next), 0, last());
    keepPlace();
    draw();
    speak();
  }

  function choose(name) {
    state.column = name;
    moved();
    draw();
    speak();
  }

  // Play from the first perturbation on, after something has changed: the clean input stands beside it all the time.
  function restart() {
    if (!reducedMotion()) {
      place = 1;
      playing = true;
      state.at = -1;
      clock.start();
    } else place = last();
  }

  listen(part("play"), "click", toggle);
  listen(part("back"), "click", () => goTo(0));
  listen(part("forth"), "click", () => goTo(place + 1));
  listen(part("place"), "input", () => goTo(Number(part("place").value)));
  const stopKeys = keys({ ArrowLeft: () => goTo(place - 1), ArrowRight: () => goTo(place + 1), Home: () => goTo(0), End: () => goTo(last()), " ": toggle, 1: () => choose("white"), 2: () => choose("black"), 3: () => choose("adaptive") });

  function slide(element, apply) {
    let byKey = false;
    listen(element, "keydown", () => (byKey = true));
    listen(element, "pointerdown", () => (byKey = false));
    listen(element, "input", () => {
      apply(Number(element.value));
      untold = true;
      drag = drag ?? { slider: true };
      place = Math.max(place, 1);
      look();
      moved(true);
    });
    listen(element, "change", () => {
      drag = null;
      restart();
      if (byKey) movedByKey();
      else moved();
      draw();
    });
  }
  slide(part("eps"), (v) => (state.eps = four((v * d.most) / EPS_STEPS)));
  slide(part("rung"), (v) => (state.agamma = gammaOf(v)));

  for (const group of root.querySelectorAll(".choice")) {
    listen(group, "click", (event) => {
      const button = event.target.closest("button");
      if (!button || !d) return;
      const key = group.dataset.key;
      if (key === "rule" && state.rule !== button.dataset.value) state.stride = button.dataset.value === "relative" ? 0.003 : four(0.01 * (d.box[1] - d.box[0]));
      state[key] = button.dataset.value;
      if (["who", "learned", "rule"].includes(key)) restart();
      draw();
      moved();
    });
  }
  for (const select of root.querySelectorAll("select[data-key]")) {
    listen(select, "change", () => {
      state[select.dataset.key] = select.value;
      restart();
      draw();
      moved();
    });
  }
  // What is typed is taken where it lies in its range, or else the range is told. A field that is left shows what holds.
  function typed(name, key, called, low, high, isRight) {
    const field = part(name), range = part(`${name}-range`);
    const mark = (isWrong) => {
      field.classList.toggle("wrong", isWrong);
      field.setAttribute("aria-invalid", String(isWrong));
    };
    listen(field, "change", () => {
      if (!d) return;
      const said = field.value.trim().replace(",", "."), value = Number(said);
      const fits = said !== "" && isRight(value) && value >= low && value <= high();
      mark(!fits);
      setText(range, fits ? "" : `${called}: from ${plain(low)} to ${plain(high())}`);
      if (!fits) return;
      state[key] = key === "image" ? String(value) : value;
      restart();
      draw();
      moved();
    });
    let hiding = 0;
    listen(field, "focus", () => clearTimeout(hiding));
    listen(field, "blur", () => {
      if (!d) return;
      const isTold = field.classList.contains("wrong");
      hiding = setTimeout(() => setText(range, ""), isTold ? LINGER : 0);
      mark(false);
      field.value = fieldText(key);
    });
  }
  const plain = (v) => String(+v.toPrecision(4));
  typed("index", "image", "Input", 0, () => d.tests - 1, Number.isInteger);
  typed("stride", "stride", "Size of a step", 1e-6, () => Math.max(1, d.box[1] - d.box[0]), Number.isFinite);
  typed("steps", "steps", "Steps", 1, () => 200, Number.isInteger);
  typed("queries", "queries", "Queries", 10, () => 10_000, Number.isInteger);
  listen(part("more"), "click", () => {
    part("further").hidden = !part("further").hidden;
    part("more").setAttribute("aria-expanded", String(!part("further").hidden));
    draw();
  });
  listen(part("again"), "click", () => {
    state.aseed = 1 + Math.floor(Math.random() * 9999);
    restart();
    moved();
  });

  // A point of the plane is moved on its map; anywhere else a press chooses the attack.
  function pointOn(event) {
    if (!d?.planar || !plot) return null;
    const area = stage.getBoundingClientRect(), x = event.clientX - area.left, y = event.clientY - area.top;
    if (x < plot.x || y < plot.y || x > plot.x + plot.side || y > plot.y + plot.side) return null;
    const u = [(2 * (x - plot.x)) / plot.side, (2 * (plot.y + plot.side - y)) / plot.side];
    return u.map((v, k) => clampTo(plot.paths.low[k] + plot.paths.half * v, d.box[0], d.box[1]).toFixed(3)).map(Number);
  }
  listen(stage, "pointerdown", (event) => {
    const point = pointOn(event);
    if (point) {
      drag = { low: [...plot.paths.low], half: plot.paths.half };
      state.image = point.join(",");
      stage.setPointerCapture(event.pointerId);
      place = Math.max(place, 1);
      return moved(true);
    }
    const area = stage.getBoundingClientRect(), x = event.clientX - area.left, y = event.clientY - area.top;
    hits.find((h) => x >= h.x && x <= h.x + h.w && y >= h.y && y <= h.y + h.h)?.call();
    return undefined;
  });
  listen(stage, "pointermove", (event) => {
    if (!drag?.half) return;
    const point = pointOn(event);
    if (!point) return;
    state.image = point.join(",");
    moved(true);
  });
  const drop = () => {
    if (!drag?.half) return;
    drag = null;
    restart();
    moved();
    draw();
  };
  listen(stage, "pointerup", drop);
  listen(stage, "pointercancel", drop);

  const keep = (how, ending) => {
    const width = 1280, height = Math.round(layout(width, 700).height);
    how(`kwta-attack-${d.data.split("@")[0]}-${state.image}-eps${state.eps}.${ending}`, width, height, colours, (s, w, h) => paint(s, w, h, false));
  };
  listen(part("png"), "click", () => keep(savedPng, "png"));
  listen(part("svg"), "click", () => keep(savedSvg, "svg"));

  const stopTheme = whenThemeChanges(root, () => {
    colours = palette(root);
    draw();
  });
  const resized = () => draw();
  window.addEventListener("resize", resized);

  return {
    update: inTurn(async (bytes) => {
      const next = await unpacked(bytes);
      talk.heard();
      arrive(next);
    }),
    destroy() {
      playing = false;
      clock.stop();
      talk.stop();
      clearTimeout(spoken);
      window.removeEventListener("resize", resized);
      surface.stop();
      [stopTheme, stopKeys, ...on].forEach((stop) => stop());
    },
  };
});
