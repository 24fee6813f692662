// What a component tells the page of the hand, and how it asks for more.
//
//   reports(send, { values, wants, busy, before, answers, take })
//
// Reports "moved": values() with `seq`, which counts what the hand did, and `moving`; or, as a question, with `poll`. Every
// one holds all values, since the page may pass over one that another follows at once; see app/picture.py.
//   values()        what every report says
//   wants()         ms until the page is asked again, null for never
//   busy()          whether questions have to wait, for the hand moves
//   before()        called before a report of what the hand did
//   answers()       where reports are answered without a run of the page (app/answers.py); "" for nowhere
//   take(bytes)     called with such an answer
// Of what it returns: moved(moving) and movedByKey() after the hand did something, rested() once keys rest, poll() when an
// answer is here, answered(seq) with its number, isOwn(seq) whether it knows all that the hand did, stop().

const EVERY_MS = 50; // between two reports while the hand moves
const REST_MS = 350; // after the last key
const LOST_MS = 3000; // after which an answer counts as lost
const WAIT_MS = 50; // until a question that has to wait is thought of again

function reports(send, { values, wants, busy, before = () => {}, answers = () => "", take = () => {} }) {
  let sent = 0, asked = 0, timer = 0, resting = 0;
  const tell = (more, ask) => {
    asked = performance.now();
    const report = { ...values(), seq: sent, ...more };
    if (ask) asker.ask(report);
    else send("moved", report);
  };
  const asker = asking(() => answers(), (report, bytes) => {
    if (bytes) take(bytes);
    else send("moved", report); // the page knows why, and says it
  });
  const does = (more, ask) => {
    sent += 1;
    before();
    tell(more, ask);
  };
  const toPage = () => {
    clearTimeout(resting);
    resting = 0;
    does({ moving: false }, false);
  };
  const soon = throttled((moving) => {
    if (!answers()) return does({ moving }, false);
    does({ moving: true }, true); // what the hand sees comes first; the page hears of it at rest
    return moving || self.rested();
  }, EVERY_MS);
  const self = {
    moved(moving = false) {
      soon(moving);
      if (!moving) soon.flush();
    },
    // Keys repeat: what they do becomes the address only when they rest.
    movedByKey() {
      self.moved(true);
      self.rested();
    },
    rested() {
      clearTimeout(resting);
      resting = setTimeout(toPage, REST_MS);
    },
    get resting() { return resting !== 0; },
    poll(ms = wants()) {
      clearTimeout(timer);
      if (ms === null) return;
      timer = setTimeout(() => {
        if (wants() === null) return;
        if (document.hidden || busy() || (asked && performance.now() - asked < LOST_MS)) return self.poll(WAIT_MS);
        tell({ poll: Math.random() }, answers() !== "");
        self.poll();
      }, ms);
    },
    isOwn: (seq) => seq >= sent,
    answered(seq, isOwn) {
      asked = 0;
      if (isOwn) sent = Math.max(sent, seq);
    },
    stop() {
      clearTimeout(timer);
      clearTimeout(resting);
      asker.stop();
    },
  };
  return self;
}

// One request at a time to where() answers: the newest report waits for the answer to what the hand did before; a mere
// question is given up. done(report, bytes): with the answer, or null where there is none.
function asking(where, done) {
  let current = null, next = null;
  async function ask(report) {
    if (current && !current.report.poll) {
      if (!report.poll) next = report;
      return;
    }
    current?.control.abort();
    const mine = (current = { report, control: new AbortController() });
    const bytes = await answerTo(where(), report, mine.control.signal);
    if (current !== mine) return;
    current = null;
    if (!next) return done(report, bytes);
    const follows = next;
    next = null;
    if (bytes) done(report, bytes);
    ask(follows);
  }
  const stop = () => {
    current?.control.abort();
    current = next = null;
  };
  return { ask, stop };
}

async function answerTo(path, report, signal) {
  try {
    const response = await fetch(path, { method: "POST", body: JSON.stringify(report), signal });
    return response.status === 200 ? new Uint8Array(await response.arrayBuffer()) : null;
  } catch {
    return null; // given up, or the server is gone
  }
}
