// γ's rungs 1 … n, of which one is looked at: steps, playing, and marks of those whose pictures are here.

const PER_SECOND = 9; // rungs, while γ plays
const GENTLE = 1500; // ms before γ starts to play by itself

// γ played by hand, or unasked as a tour: once through all rungs and back, when γ stays what it was and nobody is told.
//   state()             what the hand wants; its `rung` is moved here
//   count()             n, 0 while nothing is known
//   isHere(rung)        whether its picture is here; canPass(rung), if playing does not wait for it
//   missing()           called while playing waits
//   chosen()            called before a rung is shown that the hand has chosen
//   look(), draw()      paint the controls, paint all
//   moved(moving), rested()   tell the page, as `reports` in shared.js
function rungPlayer({ state, count, isHere, canPass = isHere, missing = () => {}, speed = () => PER_SECOND, chosen = () => {}, look, draw, moved, rested }) {
  let at = 0; // the place between rungs
  const self = {
    usual: true, // γ follows the shared control until the hand moves it
    gentle: !reducedMotion(), // γ may still play unasked
    playing: 0, // +1, −1 or 0
    tour: null, // the rung at first, { home, isBack } from k = 1
    to(rung) {
      state().rung = clampTo(rung, 1, count());
      chosen();
      self.usual = self.gentle = false;
      draw();
      if (!isHere(state().rung)) moved(true);
      if (!self.playing) rested();
    },
    step(by) {
      if (!count()) return;
      self.halt();
      self.to(state().rung + by);
    },
    play(asTour = null) {
      if (!count()) return;
      chosen();
      self.playing = state().rung >= count() ? -1 : 1;
      at = state().rung;
      self.tour = asTour;
      if (!asTour) self.usual = self.gentle = false;
      clock.start();
      look();
    },
    halt() {
      if (!self.playing) return;
      self.playing = 0;
      self.tour = null;
      self.usual = false; // where the hand stops a tour is its choice
      look();
      rested();
    },
    toggle: () => (self.playing ? self.halt() : self.play()),
    goHome() {
      state().rung = self.tour.home;
      self.playing = 0;
      self.tour = null;
      look();
      draw();
    },
    tourSoon(isStill) {
      self.gentle = false;
      setTimeout(() => self.usual && !self.playing && !document.hidden && isStill() && self.play({ home: state().rung, isBack: false }), GENTLE);
    },
    // What the page says, but for a rung that plays; isNew where it is of another plane or network.
    adopted(said, isNew) {
      if (self.tour && (isNew || said.rung !== self.tour.home)) self.playing = 0;
      if (!self.playing) self.tour = null;
      self.usual = said.usual && (!self.playing || self.tour !== null);
      self.gentle &&= self.usual;
      return { ...said, rung: self.playing ? state().rung : said.rung };
    },
    stop: () => clock.stop(),
  };
  const clock = frames((seconds) => {
    if (!self.playing || !count()) return false;
    const next = at + self.playing * speed() * seconds;
    const rung = clampTo(Math.round(next), 1, count());
    if (!canPass(rung)) {
      missing();
      return true; // it will come
    }
    at = next;
    if (at >= count()) self.playing = -1;
    if (at <= 1 && self.playing < 0) {
      if (!self.tour) {
        show(1);
        self.halt();
        return false;
      }
      self.playing = 1;
      self.tour.isBack = true;
    }
    if (self.tour?.isBack && at >= self.tour.home) {
      self.goHome();
      return false;
    }
    show(rung);
    return true;
  });
  function show(rung) {
    if (rung === state().rung) return;
    state().rung = rung;
    draw();
  }
  return self;
}

// The rung of `pictures` that is nearest to this one, null for none; 0 is ReLU, and no rung of γ.
function nearestRung(pictures, rung) {
  let best = null;
  for (const i of pictures.keys()) if (i && (best === null || Math.abs(i - rung) < Math.abs(best - rung))) best = i;
  return best;
}

// The numbers of winners of all layers, [k of each], beside their sizes.
function winnersText(winners, sizes) {
  const same = winners.every((k, l) => k === winners[0] && sizes[l] === sizes[0]);
  return same ? `k = ${winners[0]} of ${sizes[0]}` : `k = ${winners.join(", ")} of ${sizes.join(", ")}`;
}

// A mark under the slider for each rung, tall where its picture is here.
function rungMarks(canvas, { count, isHere, colours }) {
  return fitted(canvas, (g, width, height) => {
    const [left, right] = [8, width - 8]; // where the middle of the slider's thumb can be
    const step = (right - left) / Math.max(count() - 1, 1);
    for (let i = 1; i <= count(); i++) {
      const x = left + (i - 1) * step;
      g.fillStyle = isHere(i) ? colours().primary : colours().border;
      const tall = isHere(i) ? height : 3;
      g.fillRect(x - Math.min(step * 0.35, 2), height - tall, Math.min(step * 0.7, 4), tall);
    }
  });
}

// The rung that a place of a chart along γ means: x(rung) in pixels.
function rungNear(event, count, x) {
  const px = event.clientX - event.currentTarget.getBoundingClientRect().left;
  let best = 1;
  for (let i = 2; i <= count; i++) if (Math.abs(x(i) - px) < Math.abs(x(best) - px)) best = i;
  return best;
}
