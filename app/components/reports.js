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
//   take(bytes, isLate)   called with such an answer; a promise that it is taken. isLate(): whether the page has said something
//                   else meanwhile
// Of what it returns: moved(moving) and movedByKey() after the hand did something, rested() once keys rest, heard() when the
// page has said something, poll() when an answer is here, answered(seq) with its number, isOwn(seq) whether it knows all that
// the hand did, stop().

const EVERY_MS = 50; // between two reports while the hand moves
const REST_MS = 350; // after the last key
const LOST_MS = 3000; // after which an answer counts as lost
const MOST_LOST = 2; // answers in a row; then a path is no longer asked
const WAIT_MS = 50; // until a question that has to wait is thought of again

function reports(send, { values, wants, busy, before = () => {}, answers = () => "", take = () => {} }) {
  let sent = 0, told = 0, asked = 0, timer = 0, resting = 0;
  let isBehind = false; // there were answers that the page knows nothing of
  let isOver = false;
  const toPage = (report) => {
    asked = performance.now();
    told = report.seq;
    isBehind = false;
    send("moved", report);
  };
  const asker = asking(answers, async (report, bytes, isLate) => {
    if (bytes) {
      isBehind = true;
      await take(bytes, isLate);
    } else if (report.poll || (report.seq === sent && told < sent)) toPage(report); // it knows why, and says it
  });
  const ask = (report) => {
    asked = performance.now();
    asker.ask(report);
  };
  const report = (more) => ({ ...values(), seq: sent, ...more });
  const did = () => {
    sent += 1;
    before();
  };
  // What the hand sees comes first. While it moves the page hears nothing of it, where requests are answered.
  const soon = throttled((moving) => {
    if (isOver) return;
    did();
    const isOpen = asker.isOpen();
    if (isOpen) ask(report({ moving: true }));
    if (!isOpen || !moving) toPage(report({ moving }));
  }, EVERY_MS);
  const rest = () => {
    resting = 0;
    if (!asker.isOpen()) return self.moved();
    did();
    return toPage(report({ moving: false }));
  };
  const self = {
    moved(moving = false) {
      if (!moving || asker.isOpen()) {
        clearTimeout(resting);
        resting = 0;
      }
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
      resting = setTimeout(rest, REST_MS);
    },
    get resting() { return resting !== 0; },
    heard: () => asker.heard(),
    poll(ms = wants()) {
      clearTimeout(timer);
      if (isOver) return;
      if (ms === null) {
        if (isBehind && !busy() && !resting) toPage(report({ poll: Math.random() })); // what is below the picture is whole now, too
        return;
      }
      timer = setTimeout(() => {
        if (wants() === null) return;
        if (document.hidden || busy() || (asked && performance.now() - asked < LOST_MS)) return self.poll(WAIT_MS);
        (asker.isOpen() ? ask : toPage)(report({ poll: Math.random() }));
        self.poll();
      }, ms);
    },
    isOwn: (seq) => seq >= sent,
    answered(seq, isOwn) {
      asked = 0;
      if (isOwn) sent = Math.max(sent, seq);
    },
    stop() {
      isOver = true;
      clearTimeout(timer);
      clearTimeout(resting);
      asker.stop();
    },
  };
  return self;
}

// One request at a time to where() answers: the newest report waits for the answer to what the hand did before; a mere
// question is given up. done(report, bytes, isLate): with the answer, or null where there is none.
function asking(where, done) {
  let current = null, next = null, said = 0, closed = "", lost = 0;
  const isOpen = () => where() !== "" && where() !== closed;
  async function ask(report) {
    if (current && !current.report.poll) {
      if (!report.poll) next = report;
      return;
    }
    current?.control.abort();
    const mine = (current = { report, control: new AbortController(), said, isLost: false });
    const timer = setTimeout(() => {
      mine.isLost = true;
      mine.control.abort();
    }, LOST_MS);
    const path = where();
    const { bytes, isServed } = await answerTo(path, report, mine.control.signal);
    clearTimeout(timer);
    if (current !== mine) return;
    current = null;
    lost = mine.isLost ? lost + 1 : 0;
    if (!isServed || lost >= MOST_LOST) closed = path;
    const follows = next;
    next = null;
    done(report, bytes, () => report.poll !== undefined && said !== mine.said);
    if (follows && isOpen()) ask(follows);
    else if (follows) done(follows, null, () => false);
  }
  const stop = () => {
    current?.control.abort();
    current = next = null;
  };
  const heard = () => {
    said += 1;
    if (current?.report.poll) stop();
  };
  return { ask, heard, stop, isOpen };
}

// The bytes of an answer, null for none; and whether there is anybody at this path at all.
async function answerTo(path, report, signal) {
  try {
    const response = await fetch(path, { method: "POST", body: JSON.stringify(report), signal });
    const bytes = response.status === 200 ? new Uint8Array(await response.arrayBuffer()) : null;
    return { bytes, isServed: response.ok };
  } catch {
    return { bytes: null, isServed: true }; // given up, or the server is gone for a while
  }
}
