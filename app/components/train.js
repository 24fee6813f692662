// The Train view: two networks learning side by side, played from frames that arrive in blocks of bytes.
// What a block holds is described in app/compute/packing.py.

const NEGATIVE = [0, 114, 178], POSITIVE = [213, 94, 0];
const SECONDS_PER_EXAMPLE = 1.4;
const RETRY_MS = 4000; // an answer that does not come in this time has been lost
const STOP = "M3 3h10v10H3z", AGAIN = "M8 2a6 6 0 1 0 6 6h-2a4 4 0 1 1-4-4v3l5-4-5-4z";
const STRIP = 16; // height of the row of units of a layer, in pixels

const percent = (x) => (x === null || x === undefined ? "–" : fixed(100 * x, 1) + " %");
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

class Player {
  constructor(root, send) {
    this.root = root;
    this.send = send;
    const find = (selector) => root.querySelector(selector);
    this.canvas = find(".stage");
    this.box = find(".train");
    this.scrub = find(".scrub");
    this.playButton = find(".play");
    this.cancelButton = find(".cancel");
    this.readout = find(".readout");
    this.note = find(".note");
    this.live = find(".spoken");
    this.details = find(".numbers");
    this.table = find(".numbers table");
    this.key = this.setting = this.pinned = null; // pinned: the sample input that a click has chosen
    this.sides = [];
    this.position = this.spoken = this.exampleTime = 0;
    this.sought = null; // where the user wants to be, while the frames up to there are being made
    this.asked = -1; // the number of frames from which more have been asked for
    this.ends = [];
    this.wish = ""; // "cancel" or "again" until it is answered
    this.cancelled = false;
    this.playing = false;
    this.speed = Number(find(".speed").value);
    this.still = reducedMotion();
    find(".rewind").onclick = () => this.go(0, true);
    find(".step").onclick = () => this.go(Math.floor(this.position) + 1);
    this.cancelButton.onclick = () => this.wishFor(this.cancelled ? "again" : "cancel");
    this.playButton.onclick = () => this.toggle();
    this.scrub.oninput = () => this.go(this.frameAt(Number(this.scrub.value)));
    find(".speed").onchange = (event) => (this.speed = Number(event.target.value));
    find(".png").onclick = () => this.canvas.toBlob((blob) => saved("kwta_training.png", "image/png", blob));
    find(".csv").onclick = () => saved("kwta_training.csv", "text/csv", this.csv());
    this.details.ontoggle = () => this.fillTable();
    this.canvas.onclick = (event) => this.clicked(event);
    this.surface = fitted(this.canvas, (context, width) => this.paint(context, width));
    const step = (by) => () => this.go(Math.floor(this.position) + by);
    this.stops = [
      this.surface.stop,
      whenThemeChanges(root, () => this.draw()),
      keys({ " ": () => this.toggle(), ArrowRight: step(1), ArrowLeft: step(-1), Home: () => this.go(0, true) }),
    ];
    this.update = inTurn((bytes) => this.receive(bytes));
    this.clock = frames((seconds) => this.tick(seconds));
    this.clock.start();
  }

  destroy() {
    this.clock.stop();
    this.stops.forEach((stop) => stop());
  }

  async receive(bytes) {
    const { header, body } = headed(await unzipped(bytes));
    const block = reader(body);
    const isAnswer = this.isAnswer(header);
    if (header.key !== this.key || (this.wish === "again" && isAnswer)) {
      if (header.start !== 0) { this.request(0); return; }
      this.key = header.key; this.sides = header.sides.map(() => []); this.ends = []; this.setting = null;
      this.position = 0; this.asked = -1; this.playing = !this.still; this.pinned = this.sought = null; this.wish = "";
    }
    this.cancelled = header.cancelled;
    if (header.setting) this.setting = header.setting;
    if (!this.setting) return;
    const { picture, lit, classes, labels } = this.setting;
    const size = product(picture), units = lit.reduce((a, b) => a + b, 0), n = labels.length;
    header.sides.forEach((side, i) => {
      side.frames.forEach((frame, j) => {
        const arrays = { picture: block.take(size), lit: block.take(n * units), sure: block.take(n * classes.length) };
        this.sides[i][header.start + j] = { ...frame, ...arrays };
      });
      const { frames, ...rest } = side;
      this.ends[i] = rest;
    });
    if (header.setting) this.readSetting(block);
    this.asked = -1;
    this.scrub.max = String(Math.max(...this.ends.map((end) => end.total_steps)));
    if (this.wish && !isAnswer) this.request(this.wish === "again" ? 0 : this.length);
    else if (this.cancelled && !this.done) this.request(this.length);
    else if (this.wish) { this.wish = ""; this.go(this.cancelled ? this.length - 1 : this.position); }
    else if (this.sought !== null) this.go(this.sought);
    this.describeCancel();
    this.draw();
    if (this.details.open) this.fillTable();
  }

  // Whether a block answers what was wished for; one that was asked for before may come first.
  isAnswer(header) {
    if (this.wish === "again") return !header.cancelled && header.start === 0;
    return header.cancelled || header.sides.every((side) => side.ended);
  }

  readSetting(block) {
    const { planar, examples, points } = this.setting;
    const n = examples.reduce((a, b) => a * b, 1);
    this.examples = planar ? block.words(n) : block.take(n);
    if (planar) { this.points = block.words(2 * points); this.pointLabels = block.take(points); }
  }

  // As long as the longer one: of a run that diverged, the last frame stays.
  get length() { return Math.max(0, ...this.sides.map((side) => side.length)); }
  get ready() { return Boolean(this.setting) && this.sides.every((side) => side.length > 0); }
  get done() { return this.ends.length === 2 && this.ends.every((end) => end.done); }

  request(have) {
    if (this.asked === have && performance.now() - this.askedAt < RETRY_MS) return;
    this.asked = have;
    this.askedAt = performance.now();
    this.send("more", { have, key: this.key, wish: this.wish, nonce: Math.random() });
  }

  // "cancel" ends the training where it is and goes to its last picture; "again" starts it anew.
  wishFor(wish) {
    this.wish = wish;
    this.playing = false;
    this.sought = null;
    this.asked = -1;
    this.request(wish === "again" ? 0 : this.length);
    this.draw();
  }

  toggle() {
    if (!this.playing && this.done && this.position >= this.length - 1) this.position = 0;
    this.playing = !this.playing;
    this.draw();
  }

  go(position, rewound = false) {
    this.playing = rewound ? this.playing : false;
    this.position = Math.max(0, Math.min(position, this.length - 1));
    this.sought = position >= this.length && !this.done ? position : null;
    if (this.sought !== null) this.request(this.length);
    this.draw();
    this.speak();
  }

  tick(passed) {
    if (!this.setting || document.hidden) return; // nothing to play, or nobody looks
    if (this.wish) { this.request(this.wish === "again" ? 0 : this.length); return; }
    const before = [Math.floor(this.position), this.example];
    if (this.playing) {
      this.position = Math.min(this.position + passed * this.speed, Math.max(this.length - 1, 0));
      if (this.position >= this.length - 1 && this.done) { this.playing = false; this.draw(); this.speak(); }
    }
    const ahead = this.length - this.position;
    if (!this.done && (!this.length || (this.playing && ahead < Math.max(8, this.speed / 2)))) this.request(this.length);
    if (!this.still) this.exampleTime += passed;
    if (before[0] !== Math.floor(this.position) || before[1] !== this.example) this.draw();
    if (this.playing && performance.now() - this.spoken > 5000) this.speak();
  }

  get example() {
    if (this.pinned !== null) return this.pinned;
    return Math.floor(this.exampleTime / SECONDS_PER_EXAMPLE) % this.setting.labels.length;
  }

  // ----- drawing

  draw() {
    if (this.ready) this.surface.redraw();
    else this.sayFailure();
  }

  describeCancel() {
    const button = this.cancelButton;
    const ended = this.ends.length === 2 && this.ends.every((end) => end.ended); // also while it is still being played
    button.disabled = ended && !this.cancelled;
    button.classList.toggle("cancelled", this.cancelled);
    button.querySelector("span").textContent = this.cancelled ? "Train again" : "Cancel";
    button.querySelector("path").setAttribute("d", this.cancelled ? AGAIN : STOP);
    button.title = this.cancelled ? "Train again, from the same initialisation"
      : ended ? "Nothing to cancel: the training has ended, what plays is a recording" : "Cancel: the training ends here, what was learnt stays";
    this.note.hidden = !this.cancelled;
    this.box.dataset.cancelled = String(this.cancelled);
    if (!this.cancelled) return;
    const step = Math.max(0, ...this.sides.map((side) => side[side.length - 1]?.step ?? 0));
    const said = this.length ? `Cancelled at epoch ${this.epochOf(step)} of ${this.epochsTotal()}; the picture keeps what was learnt.` : "Cancelled before there was a picture.";
    this.note.textContent = `${said} “Train again” starts from the same initialisation.`;
    this.live.textContent = this.note.textContent;
  }

  // A run that fails before its first picture, for want of its device say, still says why.
  sayFailure() {
    const failed = this.ends.filter((end) => end.failed);
    if (!failed.length) return;
    this.readout.textContent = failed.map((end) => end.message).join(" ");
    this.readout.classList.add("failed");
    this.live.textContent = this.readout.textContent;
  }

  paint(context, width) {
    if (!this.ready) return;
    const colours = theme(this.root), narrow = width < 640;
    Object.assign(this, { g: context, ink: colours.text, dark: colours.dark, font: colours.font, tones: [colours.positive, colours.negative], classes: colours.classes });
    this.text = narrow ? 14 : 17;
    const gap = narrow ? 12 : 24, side = narrow ? (width - gap) / 2 : Math.min((width - 2 * gap) * 0.31, Math.max(330, innerHeight - 300));
    const panel = this.text * 1.6 + side + 8 + this.setting.lit.length * (STRIP + 5) + 2.6 * this.text + 8;
    const height = Math.ceil(narrow ? panel + 300 : panel);
    if (this.canvas.style.height !== `${height}px`) {
      this.canvas.style.height = `${height}px`; // painted again at once: the observer sees the new size
      return;
    }
    this.boxes = [];
    [0, 1].forEach((i) => this.drawPanel(i, i * (side + gap), 0, side));
    if (narrow) this.drawCurves(0, panel + 8, width, 290);
    else this.drawCurves(2 * (side + gap), 0, width - 2 * (side + gap), height);
    this.describe();
  }

  frameOf(i) { return this.sides[i][Math.min(Math.floor(this.position), this.sides[i].length - 1)]; }

  // The frame that shows a step of the training: the last one up to it.
  frameAt(step) {
    const at = this.ends[0].at;
    let frame = at.length - 1;
    while (frame > 0 && at[frame] > step) frame--;
    return frame;
  }

  // Where the network is that has come furthest; the other may have diverged before.
  get latest() { return this.frameOf(this.frameOf(1).step > this.frameOf(0).step ? 1 : 0); }

  name(i) {
    const gammas = this.frameOf(i).gammas.filter((x) => x !== null), shown = new Set(gammas).size > 1 ? gammas : gammas.slice(0, 1);
    return shown.length ? `k-WTA, γ = ${shown.map((g) => fixed(g, (g * 100) % 1 > 1e-6 ? 3 : 2)).join(", ")}` : "ReLU";
  }

  label(text, x, y, options = {}) {
    const g = this.g;
    g.fillStyle = options.colour || this.ink; g.globalAlpha = options.alpha ?? 1;
    g.textAlign = options.align || "left"; g.textBaseline = options.baseline || "alphabetic";
    g.font = `${options.weight || 400} ${options.size || this.text}px ${this.font}`;
    g.fillText(text, x, y, options.width);
    g.globalAlpha = 1;
  }

  drawPanel(i, x, y, side) {
    const frame = this.frameOf(i), { planar, lit, classes, labels } = this.setting, example = this.example;
    this.label(this.name(i), x, y + this.text * 1.1, { weight: 600, colour: this.tone(i), width: side });
    const top = y + this.text * 1.6;
    if (planar) this.drawMap(frame, x, top, side);
    else this.drawTiles(i, frame, x, top, side);
    let at = top + side + 8, from = 0;
    const units = lit.reduce((a, b) => a + b, 0);
    lit.forEach((n, layer) => {
      this.drawStrip(frame.lit.subarray(example * units + from, example * units + from + n), x, at, side, i);
      from += n; at += STRIP + 5;
    });
    const sure = frame.sure.subarray(example * classes.length, (example + 1) * classes.length);
    const best = sure.indexOf(Math.max(...sure)), right = best === labels[example];
    const thumb = 2.6 * this.text;
    this.drawExample(example, x, at + 2, thumb);
    this.boxes.push({ x, y: at, width: side, height: thumb + 4, kind: "example" });
    const says = `${right ? "✓" : "✗"} says ${classes[best]}, ${Math.round((100 * sure[best]) / 255)} %`;
    this.label(`input: ${classes[labels[example]]}`, x + thumb + 10, at + this.text * 1.1, { size: this.text * 0.9, width: side - thumb - 10 });
    this.label(says, x + thumb + 10, at + this.text * 2.4, { size: this.text * 0.9, weight: 600, width: side - thumb - 10 });
  }

  tone(i) { return this.tones[i]; }

  drawTiles(i, frame, x, y, side) {
    const g = this.g, [n, channels, h, w] = this.setting.picture;
    const columns = Math.ceil(Math.sqrt(n)), rows = Math.ceil(n / columns), cell = side / Math.max(columns, rows), pad = Math.max(2, cell * 0.07);
    const example = this.example, units = this.setting.lit.reduce((a, b) => a + b, 0), lit = frame.lit.subarray(example * units, example * units + n);
    const image = new ImageData(w, h), scratch = new OffscreenCanvas(w, h), s = scratch.getContext("2d");
    const middle = this.dark ? [24, 26, 30] : [255, 255, 255];
    g.imageSmoothingEnabled = false;
    for (let unit = 0; unit < n; unit++) {
      for (let p = 0; p < h * w; p++) {
        const base = unit * channels * h * w + p;
        let colour;
        if (channels === 3) colour = [0, 1, 2].map((c) => frame.picture[base + c * h * w]);
        else {
          const v = (frame.picture[base] - 128) / 127, end = v < 0 ? NEGATIVE : POSITIVE, a = Math.min(Math.abs(v), 1);
          colour = middle.map((m, c) => m + (end[c] - m) * a);
        }
        image.data.set([...colour, 255], 4 * p);
      }
      s.putImageData(image, 0, 0);
      const cx = x + (unit % columns) * cell, cy = y + Math.floor(unit / columns) * cell, wins = lit[unit] > 0;
      g.globalAlpha = wins ? 1 : 0.45;
      g.drawImage(scratch, cx + pad, cy + pad, cell - 2 * pad, cell - 2 * pad);
      g.globalAlpha = 1;
      g.strokeStyle = wins ? this.tone(i) : this.ink + "22"; g.lineWidth = wins ? Math.min(Math.max(2, cell * 0.08), 4) : 1;
      const inset = pad - g.lineWidth / 2;
      g.strokeRect(cx + inset, cy + inset, cell - 2 * inset, cell - 2 * inset);
    }
  }

  drawMap(frame, x, y, side) {
    const g = this.g, [, rows, columns] = this.setting.picture, image = new ImageData(columns, rows), n = rows * columns;
    const paper = this.dark ? [14, 17, 23] : [255, 255, 255], classes = this.classes.map(rgb);
    for (let p = 0; p < n; p++) {
      const colour = classes[frame.picture[p] % classes.length], least = 1 / this.setting.classes.length;
      const a = 0.15 + 0.6 * Math.max(0, (frame.picture[n + p] / 255 - least) / (1 - least));
      image.data.set([0, 1, 2].map((c) => paper[c] + (colour[c] - paper[c]) * a).concat(255), 4 * p);
    }
    const scratch = new OffscreenCanvas(columns, rows);
    scratch.getContext("2d").putImageData(image, 0, 0);
    g.imageSmoothingEnabled = false;
    g.drawImage(scratch, x, y, side, side);
    g.strokeStyle = this.ink + "55"; g.lineWidth = 1; g.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
    const place = (u, v) => [x + (u / 65535) * side, y + (1 - v / 65535) * side];
    for (let p = 0; p < this.pointLabels.length; p++) this.mark(...place(this.points[2 * p], this.points[2 * p + 1]), this.pointLabels[p], 3);
    const e = this.example;
    const [ex, ey] = place(this.examples[2 * e], this.examples[2 * e + 1]);
    this.mark(ex, ey, this.setting.labels[e], 6);
    g.strokeStyle = this.ink; g.lineWidth = 2.5; g.beginPath(); g.arc(ex, ey, 11, 0, 7); g.stroke();
  }

  // A class is told by shape as well as by colour.
  mark(x, y, label, r) {
    const g = this.g;
    g.beginPath();
    if (label % 3 === 0) g.arc(x, y, r, 0, 7);
    else if (label % 3 === 1) g.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
    else { g.moveTo(x, y - r * 1.2); g.lineTo(x + r * 1.1, y + r); g.lineTo(x - r * 1.1, y + r); g.closePath(); }
    g.fillStyle = this.classes[label % this.classes.length]; g.fill();
    g.strokeStyle = this.dark ? "#000a" : "#fffc"; g.lineWidth = 1; g.stroke();
  }

  drawStrip(lit, x, y, width, i) {
    const g = this.g, cell = width / lit.length;
    for (let unit = 0; unit < lit.length; unit++) {
      g.fillStyle = lit[unit] ? this.tone(i) : this.ink;
      g.globalAlpha = lit[unit] ? 0.3 + (0.7 * lit[unit]) / 255 : 0.08;
      g.fillRect(x + unit * cell + 0.5, y, Math.max(cell - 1, 0.7), STRIP);
    }
    g.globalAlpha = 1;
  }

  drawExample(example, x, y, side) {
    const g = this.g, { planar, examples, labels } = this.setting;
    if (planar) { this.mark(x + side / 2, y + side / 2, labels[example], side / 4); return; }
    const [, channels, h, w] = examples, image = new ImageData(w, h), base = example * channels * h * w;
    for (let p = 0; p < h * w; p++) {
      const pixel = channels === 3 ? [0, 1, 2].map((c) => this.examples[base + c * h * w + p]) : Array(3).fill(this.examples[base + p]);
      image.data.set([...pixel, 255], 4 * p);
    }
    const scratch = new OffscreenCanvas(w, h);
    scratch.getContext("2d").putImageData(image, 0, 0);
    g.imageSmoothingEnabled = false;
    g.drawImage(scratch, x, y, side, side);
    g.strokeStyle = this.ink + "55"; g.lineWidth = 1; g.strokeRect(x, y, side, side);
  }

  clicked(e) {
    const at = this.canvas.getBoundingClientRect(), x = e.clientX - at.left, y = e.clientY - at.top;
    const hit = this.boxes.some((b) => x >= b.x && x <= b.x + b.width && y >= b.y && y <= b.y + b.height);
    if (hit) { this.pinned = (this.example + 1) % this.setting.labels.length; this.draw(); }
  }

  drawCurves(x, y, width, height) {
    const each = height / 2, upto = Math.floor(this.position);
    const total = Math.max(...this.ends.map((end) => end.total_steps), 1);
    const steps = [0, 1].map((i) => this.sides[i].slice(0, upto + 1).flatMap((f) => f.steps));
    const epochs = [0, 1].map((i) => this.sides[i].slice(0, upto + 1).flatMap((f) => f.epochs));
    const finite = (values) => values.filter((v) => v !== null && Number.isFinite(v));
    const highest = Math.max(0.5, ...epochs.flat().map((e) => e.loss).filter(Number.isFinite), ...finite(steps.flat().slice(0, 60).map((s) => s[1])).map((v) => Math.min(v, 5)));
    this.drawChart({ x, y, width, height: each, title: "Loss (cross-entropy, nats)", low: 0, high: highest, total,
      raw: steps, lines: epochs.map((list) => list.map((e) => [e.step, e.loss])), show: (v) => fixed(v, 2) });
    this.drawChart({ x, y: y + each, width, height: each, title: "Accuracy on test inputs (thin: batches)", low: 0, high: 1, total,
      raw: steps.map((list) => list.map((s) => [s[0], s[2]])), lines: epochs.map((list) => list.map((e) => [e.step, e.test])), show: (v) => percent(v) });
  }

  drawChart({ x, y, width, height, title, low, high, total, raw, lines, show }) {
    const g = this.g, small = this.text * 0.82, left = x + 3.2 * small, right = x + width - 5.6 * small, top = y + this.text * 1.8, bottom = y + height - 1.9 * small;
    const px = (step) => left + ((right - left) * step) / total, py = (v) => bottom - ((bottom - top) * (Math.min(Math.max(v, low), high) - low)) / (high - low);
    this.label(title, x, y + this.text * 1.1, { weight: 600, width });
    for (let i = 0; i <= 2; i++) {
      const v = low + ((high - low) * i) / 2;
      g.strokeStyle = this.ink; g.globalAlpha = 0.15; g.lineWidth = 1; g.beginPath(); g.moveTo(left, py(v)); g.lineTo(right, py(v)); g.stroke(); g.globalAlpha = 1;
      this.label(high > 1.001 || title.startsWith("Loss") ? fixed(v, 1) : `${Math.round(100 * v)} %`, left - 6, py(v), { size: small, align: "right", baseline: "middle", alpha: 0.8 });
    }
    [0, this.epochsTotal()].forEach((epoch) => this.label(`${epoch ? "" : "epoch "}${epoch}`, px((total * epoch) / this.epochsTotal()), bottom + 1.5 * small, { size: small, align: epoch ? "right" : "left", alpha: 0.8 }));
    const ends = [];
    [1, 0].forEach((i) => {
      g.strokeStyle = this.tone(i); g.lineJoin = "round";
      g.globalAlpha = 0.25; g.lineWidth = 1; this.path(raw[i].filter((p) => p[1] !== null), px, py); g.globalAlpha = 1;
      g.lineWidth = 3; g.setLineDash(i ? [7, 5] : []); this.path(lines[i], px, py); g.setLineDash([]);
      const last = lines[i][lines[i].length - 1];
      if (last) { g.fillStyle = this.tone(i); g.beginPath(); g.arc(px(last[0]), py(last[1]), 4, 0, 7); g.fill(); ends.push([i, last, py(last[1])]); }
    });
    ends.sort((a, b) => a[2] - b[2]);
    if (ends.length === 2 && ends[1][2] - ends[0][2] < small * 1.15) {
      const middle = (ends[0][2] + ends[1][2]) / 2;
      const centre = Math.min(Math.max(middle, top + small * 0.6), bottom - small * 0.6);
      ends[0][2] = centre - small * 0.6; ends[1][2] = centre + small * 0.6;
    }
    ends.forEach(([i, last, at]) => this.label(show(last[1]), Math.max(px(last[0]), left) + 9, at, { size: small, weight: 600, colour: this.tone(i), baseline: "middle" }));
  }

  path(points, px, py) {
    const g = this.g;
    g.beginPath();
    points.forEach(([step, v], i) => (i ? g.lineTo(px(step), py(v)) : g.moveTo(px(step), py(v))));
    g.stroke();
  }

  epochOf(step) { return fixed(Math.min(step / this.ends[0].per_epoch, this.epochsTotal()), 1); }
  epoch() { return this.epochOf(this.latest.step); }
  epochsTotal() { return Math.round(this.ends[0].total_steps / this.ends[0].per_epoch); }

  lastEpoch(i) { return this.sides[i].slice(0, Math.floor(this.position) + 1).flatMap((f) => f.epochs).pop(); }

  describe() {
    const at = Math.floor(this.position);
    this.scrub.value = String(this.latest.step);
    this.playButton.querySelector("path").setAttribute("d", playIcon(this.playing));
    this.playButton.querySelector("span").textContent = this.playing ? "Pause" : "Play";
    const failed = [0, 1].filter((i) => this.ends[i].failed && at >= this.sides[i].length - 1);
    const results = [0, 1].map((i) => failed.includes(i) ? `${this.name(i)}: ${this.ends[i].message}`
      : `${this.name(i)}: ${percent(this.lastEpoch(i)?.test)} of ${this.setting.counts[1].toLocaleString("en")} test inputs right`);
    const early = [0, 1].filter((i) => this.ends[i].early && at >= this.sides[i].length - 1);
    early.forEach((i) => (results[i] += ` (${this.ends[i].message.replace(/\.$/, "")})`));
    const place = `Epoch ${this.epoch()} of ${this.epochsTotal()}, step ${this.latest.step}`;
    this.readout.textContent = `${place}. ${results.join(" · ")}${failed.length ? "" : "."}`;
    this.readout.title = `${this.setting.counts[0].toLocaleString("en")} training inputs`;
    this.readout.classList.toggle("failed", failed.length > 0);
    this.canvas.setAttribute("aria-label", this.readout.textContent);
    this.box.dataset.position = String(at); this.box.dataset.length = String(this.length); this.box.dataset.done = String(this.done); this.box.dataset.playing = String(this.playing);
  }

  speak() { this.spoken = performance.now(); this.live.textContent = this.readout.textContent; }

  rows() {
    const head = ["epoch", ...[0, 1].flatMap((i) => ["loss", "training", "test", "dead units"].map((what) => `${what}, ${this.name(i)}`))];
    const all = [0, 1].map((i) => this.sides[i].flatMap((frame) => frame.epochs));
    const cells = (e) => (e ? [e.loss === null ? "" : e.loss.toFixed(4), (100 * e.train).toFixed(1) + " %", (100 * e.test).toFixed(1) + " %", e.dead.join(" + ")] : ["", "", "", ""]);
    return [head, ...all[0].map((left, r) => [left.epoch, ...cells(left), ...cells(all[1][r])])];
  }

  csv() { return this.rows().map((row) => row.map((cell) => `"${cell}"`).join(",")).join("\n") + "\n"; }

  fillTable() {
    if (!this.details.open || !this.setting) return;
    this.table.replaceChildren(...this.rows().map((row, r) => {
      const line = document.createElement("tr");
      line.append(...row.map((cell) => Object.assign(document.createElement(r ? "td" : "th"), { textContent: cell })));
      return line;
    }));
  }
}

export default mounted((root, send) => new Player(root, send));
