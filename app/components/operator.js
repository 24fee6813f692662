// One vector of pre-activations and what k-WTA makes of it, with ReLU, local winner-take-all and max pooling beside it.
//
// data: pool, other (MOST numbers each: y and what it drifts towards), n, gamma, block; the library's answer for them: k,
// won, threshold; seq (of the last report that is answered), autoplay, still, own, bare, hide.
// Reports moved: { seq, gamma, n, block, values or null } once a movement ends. While it lasts, winners are found here by
// the library's rule: the larger entry first, of equal ones the lower index.

const DRIFT = 0.3; // radians a second: a full turn of the values in 21 s
const RUNGS = 2.2; // values of k a second while γ plays
const EASE = 12; // how fast the picture follows, per second
const SETTLE = 150; // ms without a movement after which it is reported
const TINY = 1e-3;

const countOf = (hundredths, n) => Math.floor((hundredths * n) / 100);
const gammaFor = (k, n) => Math.ceil((100 * k) / n); // the smallest hundredths with this k
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

function ordinal(k) {
  const end = k % 100 > 10 && k % 100 < 14 ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[k % 10] ?? "th");
  return k === 1 ? "largest" : `${k}${end} largest`;
}

// The block size nearest to `block` that divides n, as the server chooses it.
function divisors(n) {
  return Array.from({ length: n - 1 }, (_, i) => i + 2).filter((size) => n % size === 0);
}
const fitting = (block, n) =>
  divisors(n).reduce((best, size) => (Math.abs(size - block) < Math.abs(best - block) ? size : best));

// Everything there is to know about a vector: winners, threshold, ties, and the other activations.
function facts(y, k, block, answer) {
  const n = y.length;
  const order = y.map((_, j) => j).sort((a, b) => y[b] - y[a] || a - b);
  const rank = new Array(n);
  order.forEach((j, place) => (rank[j] = place + 1));
  const won = answer ? answer.won : rank.map((r) => r <= k);
  const threshold = k ? (answer ? answer.threshold : y[order[k - 1]]) : null;
  const equal = y.map((v) => k > 0 && v === threshold);
  const nEqual = equal.filter(Boolean).length;
  const local = new Array(n).fill(false);
  const pooled = [];
  for (let start = 0; start < n; start += block) {
    let best = start;
    for (let j = start + 1; j < start + block; j++) if (y[j] > y[best]) best = j;
    local[best] = true;
    pooled.push(y[best]);
  }
  return {
    y, n, k, won, rank, threshold, block, local, pooled,
    tied: equal.map((e) => e && nEqual > 1),
    nTied: nEqual > 1 ? nEqual : 0,
    tiedWinners: equal.filter((e, j) => e && won[j]).length,
    negativeWinners: won.filter((w, j) => w && y[j] < 0).length,
    positive: y.filter((v) => v > 0).length,
  };
}

// A round number not below x, so that the axis does not twitch.
function roundUp(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].find((step) => step * power >= x * 0.999) * power;
}

function limits(y) {
  const high = roundUp(Math.max(0.4, ...y) * 1.06);
  const low = -roundUp(Math.max(0.4, ...y.map((v) => -v)) * 1.06);
  return [Math.min(low, -high / 6), Math.max(high, -low / 6)];
}

function ticks(low, high) {
  const step = [1, 2, 2.5, 5, 10].map((s) => s * 10 ** Math.floor(Math.log10((high - low) / 4))).find((s) => (high - low) / s <= 5.5);
  const all = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) all.push(i * step);
  return all;
}

function places(frame, n, low, high) {
  const step = frame.w / n;
  return {
    step,
    bar: Math.max(Math.min(step * 0.74, 44), 1),
    x: (j) => frame.x + (j + 0.5) * step,
    y: (v) => frame.y + ((high - v) / (high - low)) * frame.h,
    value: (y) => high - ((y - frame.y) / frame.h) * (high - low),
  };
}

const signColour = (v, c) => (v < 0 ? c.negative : c.positive);

function bar(s, at, j, v, lit, c, width = at.bar, x = at.x(j)) {
  const top = Math.min(at.y(v), at.y(0));
  const size = Math.max(Math.abs(at.y(v) - at.y(0)), 1);
  const colour = signColour(v, c);
  s.rect(x - width / 2, top, width, size, { fill: colour, alpha: c.dark ? 0.17 : 0.12 });
  if (lit > TINY) s.rect(x - width / 2, top, width, size, { fill: colour, alpha: lit });
  s.rect(x - width / 2 + 0.5, top + 0.5, width - 1, Math.max(size - 1, 0.5), { stroke: colour, alpha: 0.35 + 0.65 * lit });
}

function frameOfMain(w, h) {
  const narrow = w < 560;
  return narrow ? { x: 36, y: 12, w: w - 36 - 78, h: h - 34 } : { x: 46, y: 14, w: w - 46 - 128, h: h - 38 };
}

function paintMain(s, box, d, view, c) {
  const inner = frameOfMain(box.w, box.h);
  const frame = { ...inner, x: inner.x + box.x, y: inner.y + box.y };
  const at = places(frame, d.n, view.low, view.high);
  const right = frame.x + frame.w;
  for (const v of ticks(view.low, view.high)) {
    s.line(frame.x, at.y(v), right, at.y(v), { stroke: c.border, alpha: 0.5 });
    s.text(frame.x - 8, at.y(v), number(v), { size: 14, align: "end", fill: c.text, alpha: 0.75 });
  }
  const every = [1, 2, 4, 8, 16].find((m) => m * at.step >= 27) ?? 16;
  d.y.forEach((v, j) => {
    bar(s, at, j, v, view.lit[j], c);
    if (!d.won[j]) s.rect(at.x(j) - at.bar / 2, at.y(0) - 1.5, at.bar, 3, { fill: c.text, alpha: 0.55 });
    if (j % every === 0) s.text(at.x(j), box.y + box.h - 9, String(j), { size: 13, align: "middle", fill: c.text, alpha: 0.6 });
  });
  s.line(frame.x, at.y(0), right, at.y(0), { stroke: c.text, alpha: 0.8, width: 1.2 });
  d.y.forEach((v, j) => {
    const r = clamp(at.step * 0.3, 3, 7);
    const end = at.y(v);
    if (d.tied[j]) {
      const points = [[at.x(j), end - r], [at.x(j) + r, end], [at.x(j), end + r], [at.x(j) - r, end]];
      s.polygon(points, { fill: d.won[j] ? c.text : c.background, stroke: c.text, width: 1.6 });
    }
    if (d.won[j] && v < 0 && !d.tied[j]) {
      const y = Math.min(end + 4, frame.y + frame.h - r);
      s.polygon([[at.x(j) - r, y], [at.x(j) + r, y], [at.x(j), y + 1.5 * r]], { fill: c.text });
    }
    if (j === view.hover) s.rect(at.x(j) - at.step / 2, frame.y, at.step, frame.h, { stroke: c.text, alpha: 0.6, dash: [3, 3] });
  });
  if (d.k) paintThreshold(s, frame, at.y(view.line), box, d, c);
}

function paintThreshold(s, frame, y, box, d, c) {
  const right = frame.x + frame.w;
  const narrow = box.w < 560;
  s.line(frame.x, y, right + 10, y, { stroke: c.text, width: 2, dash: [8, 5] });
  s.rect(right + 8, y - 13, 15, 26, { fill: c.text, radius: 5 });
  for (const up of [-5, 0, 5]) s.line(right + 12, y + up, right + 19, y + up, { stroke: c.background, width: 1.5 });
  const label = clamp(y, box.y + 22, box.y + box.h - 34);
  s.text(right + 30, label - 10, number(d.threshold), { size: narrow ? 15 : 19, weight: 700, fill: c.text });
  s.text(right + 30, label + 11, narrow ? ordinal(d.k).replace(" largest", "") : ordinal(d.k), { size: 14, fill: c.text, alpha: 0.85 });
}

function panels(box) {
  const gap = 20;
  const wide = box.w >= 560;
  const w = wide ? (box.w - 2 * gap) / 3 : box.w;
  const h = wide ? box.h : (box.h - 2 * 10) / 3;
  return [0, 1, 2].map((i) => ({ x: box.x + (wide ? i * (w + gap) : 0), y: box.y + (wide ? 0 : i * (h + 10)), w, h }));
}

function headings(d) {
  const nBlocks = d.n / d.block;
  const some = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
  return [
    ["ReLU", `${d.positive} of ${d.n} pass, all above 0`],
    ["Local WTA", `${some(nBlocks, "winner")}, one in each ${d.block}`],
    ["Max pooling", `${some(nBlocks, "value")}, one for each ${d.block}`],
  ];
}

function paintCompare(s, box, d, view, c) {
  const titles = headings(d);
  panels(box).forEach((panel, i) => {
    const frame = { x: panel.x, y: panel.y + 28, w: panel.w, h: panel.h - 32 };
    const at = places(frame, d.n, view.low, view.high);
    s.text(panel.x, panel.y + 11, titles[i][0], { size: 16, weight: 700, fill: c.text });
    s.text(panel.x + s.measure(titles[i][0], { size: 16, weight: 700 }) + 10, panel.y + 11, titles[i][1], { size: 14, fill: c.text, alpha: 0.85 });
    if (i) {
      for (let b = 0; b < d.n / d.block; b += 2) {
        s.rect(frame.x + b * d.block * at.step, frame.y, d.block * at.step, frame.h, { fill: c.text, alpha: 0.06 });
      }
    }
    if (i === 2) {
      d.pooled.forEach((v, b) => {
        const width = Math.max(d.block * at.step * 0.86, 1);
        bar(s, at, 0, v, 1, c, width, frame.x + (b + 0.5) * d.block * at.step);
      });
    } else {
      d.y.forEach((v, j) => bar(s, at, j, v, (i ? d.local[j] : v > 0) ? 1 : 0, c));
    }
    s.line(frame.x, at.y(0), frame.x + frame.w, at.y(0), { stroke: c.text, alpha: 0.8 });
  });
}

function formulaText(d, g) {
  const share = (g * d.n) / 100;
  const whole = Number.isInteger(share) ? "" : ` = ⌊${number(share, 4)}⌋`;
  return `k = ⌊γN⌋ = ⌊${fixed(g / 100, 2)} · ${d.n}⌋${whole} = ${d.k}`;
}

function seeText(d) {
  if (!d.k) return ["Nobody wins:", ` γN is below 1, so k = 0, which k-WTA refuses. With N = ${d.n}, γ must be at least 1/${d.n} = ${number(1 / d.n)}.`];
  const rest = d.n - d.k;
  let text = ` the ${d.k === 1 ? "entry" : "entries"} ${d.nTied ? "that rank first, down to" : "at or above"} ${number(d.threshold)}, the ${ordinal(d.k)}. `;
  text += rest ? `The other${rest === 1 ? " one is" : ` ${rest} are`} set to zero.` : "Nothing is set to zero: φₖ is the identity.";
  if (d.nTied) {
    const lose = d.nTied - d.tiedWinners;
    text += ` Of the ${d.nTied} entries equal to ${number(d.threshold)} (◆) `;
    text += lose ? `${d.tiedWinners === 1 ? "the one with the lowest index wins" : `the ${d.tiedWinners} with the lowest index win`}, so that exactly k do.` : "all win.";
  }
  if (d.negativeWinners) {
    const one = d.negativeWinners === 1;
    text += ` ${one ? "One winner is" : `${d.negativeWinners} winners are`} negative (▼): φₖ ranks and does not ask for the sign; ReLU would set ${one ? "it" : "them"} to zero.`;
  }
  return [`${d.k} of ${d.n} win${d.k === 1 ? "s" : ""}:`, text];
}

function whyText(d) {
  return `Why: γ and N fix k, so the threshold moves with the data. ReLU fixes its threshold at 0, so its number of survivors moves, now ${d.positive}.`;
}

export default mounted((root, send, first) => {
  const part = (name) => root.querySelector(`.${name}`);
  const box = part("operator");
  const main = part("main");
  let data = first;
  let state = { pool: first.pool.slice(), n: first.n, g: Math.round(100 * first.gamma), block: first.block, edited: false };
  let sent = first.seq;
  let theta = 0;
  let playing = ""; // "y", "gamma" or nothing
  let played = "y";
  let climb = 1;
  let rungs = 0;
  let drag = null;
  let colours = theme(root);
  const view = { lit: new Array(first.pool.length).fill(0), line: 0, low: -1, high: 1, hover: -1, fresh: true };
  let d = null;

  function values() {
    const y = state.pool.slice(0, state.n);
    if (theta === 0) return y;
    const mean = y.reduce((a, b) => a + b, 0) / y.length;
    const spread = Math.max(Math.sqrt(y.reduce((a, b) => a + (b - mean) ** 2, 0) / y.length), 0.3);
    return y.map((v, j) => v * Math.cos(theta) + spread * data.other[j] * Math.sin(theta));
  }

  function answered() {
    const same = theta === 0 && !state.edited && state.n === data.n && state.g === Math.round(100 * data.gamma);
    return same ? data : null;
  }

  function derive() {
    const answer = answered();
    d = facts(values(), answer ? answer.k : countOf(state.g, state.n), fitting(state.block, state.n), answer);
    box.dataset.source = answer ? "library" : "browser";
    box.dataset.k = d.k;
    box.dataset.winners = d.won.flatMap((w, j) => (w ? [j] : [])).join(",");
  }

  const mainCanvas = fitted(main, (context, w, h) => paintMain(canvasSurface(context, colours.font), { x: 0, y: 0, w, h }, d, view, colours));
  const compareCanvas = fitted(part("compare"), (context, w, h) => paintCompare(canvasSurface(context, colours.font), { x: 0, y: 0, w, h }, d, view, colours));

  // One step of the picture towards the facts; false once it has arrived and nothing plays.
  function approach(seconds) {
    const share = view.fresh || reducedMotion() ? 1 : 1 - Math.exp(-EASE * seconds);
    let far = 0;
    const ease = (from, to, size) => {
      const next = Math.abs(to - from) < TINY * size ? to : from + (to - from) * share;
      if (next !== to) far = 1;
      return next;
    };
    const [low, high] = drag?.kind === "draw" ? [view.low, view.high] : limits(d.y);
    view.low = ease(view.low, low, high - low);
    view.high = ease(view.high, high, high - low);
    if (d.k) view.line = theta === 0 || playing !== "y" ? ease(view.line, d.threshold, high - low) : d.threshold;
    d.won.forEach((w, j) => (view.lit[j] = ease(view.lit[j], w ? 1 : 0, 1)));
    view.fresh = false;
    return far > 0;
  }

  function play(seconds) {
    if (playing === "y") theta += DRIFT * seconds;
    if (playing === "gamma") {
      rungs += RUNGS * seconds;
      if (rungs < 1) return;
      rungs = 0;
      const k = countOf(state.g, state.n);
      if (k >= state.n) climb = -1;
      if (k <= 1) climb = 1;
      state.g = gammaFor(clamp(k + climb, 1, state.n), state.n);
    }
  }

  const clock = frames((seconds) => {
    if (playing) play(seconds);
    derive();
    const moving = approach(seconds);
    words();
    mainCanvas.redraw();
    compareCanvas.redraw();
    return moving || Boolean(playing);
  });

  function set(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function words() {
    const gamma = fixed(state.g / 100, 2);
    part("gamma").value = state.g / 100;
    part("n").value = state.n;
    set(part("gamma-value"), gamma);
    set(part("n-value"), String(state.n));
    fillFormula(part("formula"), formulaText(d, state.g));
    const [bold, rest] = seeText(d);
    fill(part("see"), bold, rest);
    set(part("why"), whyText(d));
    legend();
    fillBlocks();
    for (const [name, what] of [["play-y", "y"], ["play-gamma", "gamma"]]) {
      const on = playing === what;
      const letter = what === "y" ? "y" : "γ";
      set(part(name), on ? `❚❚ ${letter}` : `▶ ${letter}`);
      part(name).setAttribute("aria-pressed", String(on));
      part(name).setAttribute("aria-label", on ? `Pause ${letter}` : what === "y" ? "Let the values drift" : "Let γ climb and fall");
    }
    main.setAttribute("aria-valuemax", d.n);
    main.setAttribute("aria-valuenow", d.k);
  }

  function fill(element, bold, rest) {
    if (element.dataset.text === bold + rest) return;
    element.dataset.text = bold + rest;
    const strong = document.createElement("b");
    strong.textContent = bold;
    element.replaceChildren(strong, rest);
  }

  function fillFormula(element, text) {
    if (!element.childElementCount) {
      const definition = document.createElement("span");
      definition.className = "def";
      definition.innerHTML = "<i>φ<sub>k</sub>(y)<sub>j</sub></i> = <i>y<sub>j</sub></i> if <i>y<sub>j</sub></i> is among the <i>k</i> largest entries of <i>y</i>, else 0";
      const live = document.createElement("b");
      element.replaceChildren(definition, live);
    }
    set(element.lastElementChild, text);
  }

  function fillBlocks() {
    const select = part("block");
    if (select.dataset.n !== String(state.n)) {
      select.dataset.n = state.n;
      select.replaceChildren(...divisors(state.n).map((size) => new Option(String(size), size)));
    }
    if (select.value !== String(d.block)) select.value = d.block;
  }

  function legend() {
    const j = view.hover;
    if (j >= 0 && j < d.n) {
      const out = d.won[j] ? `wins, φₖ = ${number(d.y[j])}` : "loses, φₖ = 0";
      delete part("legend").dataset.text;
      set(part("legend"), `Entry ${j}: y = ${number(d.y[j])} is number ${d.rank[j]} of ${d.n}${d.tied[j] ? ", tied" : ""}: ${out}; ReLU gives ${number(Math.max(d.y[j], 0))}.`);
      return;
    }
    const marks = [["■", "kept"], ["□", "set to zero"], ["■", "positive", "positive"], ["■", "negative", "negative"]];
    if (d.nTied) marks.push(["◆", "tie"]);
    if (d.negativeWinners) marks.push(["▼", "negative winner"]);
    const text = marks.map((m) => m.join(" ")).join() + colours.dark;
    if (part("legend").dataset.text === text) return;
    const spans = marks.map(([mark, what, sign]) => {
      const span = document.createElement("span");
      const symbol = document.createElement("b");
      symbol.textContent = `${mark} `;
      if (sign) symbol.style.color = colours[sign];
      span.append(symbol, what);
      return span;
    });
    part("legend").replaceChildren(...spans, "Draw on the bars, drag the threshold; ← → change k, space plays.");
    part("legend").dataset.text = text;
  }

  function speak() {
    const text = `${formulaText(d, state.g)}. ${seeText(d).join("")}`;
    set(part("spoken"), text);
    main.setAttribute("aria-valuetext", text);
    part("compare").setAttribute("aria-label", headings(d).map((h) => h.join(": ")).join("; "));
  }

  let timer = 0;
  function report() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (drag || playing === "gamma") return;
      derive();
      speak();
      const values = state.edited ? state.pool.slice(0, state.n) : null;
      send("moved", { seq: ++sent, gamma: state.g / 100, n: state.n, block: d.block, values });
    }, SETTLE);
  }

  function moved() {
    clock.start();
    report();
  }

  function setK(k) {
    state.g = gammaFor(clamp(k, 1, state.n), state.n);
    if (playing === "gamma") pause();
    moved();
  }

  // Stop where it is. The drift stays what it is, a movement of the chosen vector, until a hand draws on it.
  function pause() {
    const was = playing;
    playing = "";
    if (was) moved();
  }

  // What drifted becomes the vector that the hand draws on.
  function settle() {
    if (theta === 0) return;
    state.pool = state.pool.map((v, j) => (j < d.n ? Math.round(1000 * d.y[j]) / 1000 : v));
    theta = 0;
  }

  function toggle(what) {
    const was = playing;
    pause();
    if (was !== what) {
      playing = played = what;
      rungs = 1;
      clock.start();
    }
  }

  // Movements of the pointer: the threshold by its grip, otherwise values under the hand.
  function place(event) {
    const area = main.getBoundingClientRect();
    const frame = frameOfMain(area.width, area.height);
    const at = places(frame, d.n, view.low, view.high);
    const x = event.clientX - area.left;
    const y = event.clientY - area.top;
    return { x, j: clamp(Math.floor((x - frame.x) / at.step), 0, d.n - 1), value: at.value(y), inGrip: x > frame.x + frame.w + 2, inside: x >= frame.x - 4 };
  }

  function drawTo(point) {
    const step = roundUp((view.high - view.low) / 150);
    const last = drag.last ?? point;
    const [from, to] = last.j <= point.j ? [last, point] : [point, last];
    for (let j = from.j; j <= to.j; j++) {
      const share = to.j === from.j ? 1 : (j - from.j) / (to.j - from.j);
      const value = to.j === from.j ? point.value : from.value + share * (to.value - from.value);
      state.pool[j] = +(Math.round(clamp(value, view.low, view.high) / step) * step).toFixed(6) + 0;
    }
    state.edited = true;
    drag.last = point;
  }

  function dragTo(event) {
    const point = place(event);
    if (drag.kind === "draw") drawTo(point);
    else state.g = gammaFor(clamp(d.y.filter((v) => v >= point.value).length, 1, d.n), d.n);
    view.hover = drag.kind === "draw" ? point.j : -1;
    clock.start();
  }

  const on = [];
  function listen(element, type, call, options) {
    element.addEventListener(type, call, options);
    on.push(() => element.removeEventListener(type, call, options));
  }
  listen(main, "pointerdown", (event) => {
    const point = place(event);
    if (event.button || !point.inside) return;
    if (point.inGrip && !d.k) return;
    pause();
    clearTimeout(timer);
    main.setPointerCapture(event.pointerId);
    drag = { kind: point.inGrip ? "threshold" : "draw" };
    if (drag.kind === "draw") settle();
    dragTo(event);
  });
  listen(main, "pointermove", (event) => {
    if (drag) return dragTo(event);
    const point = place(event);
    main.classList.toggle("grip", point.inGrip);
    const hover = point.inGrip || !point.inside ? -1 : point.j;
    if (hover !== view.hover) {
      view.hover = hover;
      clock.start();
    }
    return undefined;
  });
  const release = () => {
    if (!drag) return;
    drag = null;
    moved();
  };
  listen(main, "pointerup", release);
  listen(main, "pointercancel", release);
  listen(main, "pointerleave", () => {
    view.hover = -1;
    clock.start();
  });
  listen(main, "keydown", (event) => {
    const steps = { ArrowUp: 1, ArrowDown: -1, ArrowRight: 1, ArrowLeft: -1, PageUp: 5, PageDown: -5, Home: -d.n, End: d.n };
    if (event.key === " ") toggle(playing || played);
    else if (event.key in steps) setK(countOf(state.g, state.n) + steps[event.key]);
    else return;
    event.preventDefault();
  });
  listen(part("gamma"), "input", (event) => {
    if (playing === "gamma") pause();
    state.g = Math.round(100 * event.target.value);
    moved();
  });
  listen(part("n"), "input", (event) => {
    state.n = Number(event.target.value);
    moved();
  });
  listen(part("block"), "change", (event) => {
    state.block = Number(event.target.value);
    moved();
  });
  listen(part("play-y"), "click", () => toggle("y"));
  listen(part("play-gamma"), "click", () => toggle("gamma"));

  function paintAll(s, w, h) {
    s.text(24, 28, formulaText(d, state.g), { size: 22, weight: 700, fill: colours.text });
    paintMain(s, { x: 12, y: 52, w: w - 24, h: h - 262 }, d, { ...view, hover: -1 }, colours);
    paintCompare(s, { x: 24, y: h - 190, w: w - 48, h: 170 }, d, view, colours);
  }
  listen(part("png"), "click", () => savedPng("kwta-operator.png", 1280, 720, colours, paintAll));
  listen(part("svg"), "click", () => savedSvg("kwta-operator.svg", 1280, 720, colours, paintAll));

  const stopKeys = keys({
    ArrowRight: () => setK(countOf(state.g, state.n) + 1),
    ArrowLeft: () => setK(countOf(state.g, state.n) - 1),
    " ": () => toggle(playing || played),
  });
  const stopTheme = whenThemeChanges(root, () => {
    colours = theme(root);
    clock.start();
  });

  const samePool = (a, b) => a.length === b.length && a.every((v, j) => v === b[j]);

  // The page's answer: it is authoritative unless it is older than what the hand has done since.
  function adopt(next) {
    if (next.seq < sent || drag) return;
    const same = samePool(next.pool, data.pool);
    if (!same || (next.still && playing === "y")) playing = "";
    if (!same || next.still) theta = 0; // a table beside the picture shows the vector itself
    data = next;
    state = { pool: next.pool.slice(), n: next.n, g: playing === "gamma" ? state.g : Math.round(100 * next.gamma), block: next.block, edited: false };
  }

  function dress() {
    box.classList.toggle("bare", Boolean(data.bare));
    box.classList.toggle("own", Boolean(data.own));
    box.dataset.hide = (data.hide ?? []).join(" ");
  }

  dress();
  derive();
  if (first.autoplay && !reducedMotion()) playing = "y";
  clock.start();
  speak();
  return {
    update(next) {
      if (next !== data) adopt(next);
      dress();
      derive();
      if (!playing) speak();
      clock.start();
    },
    destroy() {
      clock.stop();
      clearTimeout(timer);
      mainCanvas.stop();
      compareCanvas.stop();
      stopKeys();
      stopTheme();
      on.forEach((off) => off());
    },
  };
});
