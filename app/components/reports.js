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
//   take(bytes, isLate)   called with such an answer; isLate() says whether the page has said something else meanwhile
// Of what it returns: moved(moving) and movedByKey() after the hand did something, rested() once keys rest, heard() when the
// page has said something, poll() when an answer is here, answered(seq) with its number, isOwn(seq) whether it knows all that
// the hand did, stop().

const EVERY_MS = 50; // between two reports while the hand moves
const REST_MS = 350; // after the last key
const LOST_MS = 3000; // after which an answer counts as lost
const WAIT_MS = 50; // until a question that has to wait is thought of again

function reports(send, { values, wants, busy, before = () => {}, answers = () => "", take = () => {} }) {
  let sent = 0, asked = 0, timer = 0, resting = 0;
  let atRest = false; // the hand has let go, and the page hears of it once its answer is here
  let isBehind = false; // there were answers that the page knows nothing of
  let isOver = false;
  const asker = asking(answers, (report, bytes, isLate, isLast) => {
    if (bytes) {
      isBehind = true;
      take(bytes, isLate);
    } else if (report.seq === sent && !atRest) send("moved", report); // the page knows why, and says it
    if (atRest && isLast && !report.poll) toPage();
  });
  const tell = (more, ask) => {
    asked = performance.now();
    const report = { ...values(), seq: sent, ...more };
    if (ask) return asker.ask(report);
    isBehind = false;
    return send("moved", report);
  };
  const does = (more, ask) => {
    if (isOver) return;
    sent += 1;
    before();
    tell(more, ask);
  };
  const toPage = () => {
    clearTimeout(resting);
    resting = 0;
    atRest = false;
    does({ moving: false }, false);
  };
  const soon = throttled((moving) => {
    const ask = asker.isOpen();
    atRest = ask && !moving;
    does({ moving: ask || moving }, ask); // what the hand sees comes first
  }, EVERY_MS);
  const self = {
    moved(moving = false) {
      if (moving) {
        clearTimeout(resting);
        resting = 0;
        atRest = false;
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
      resting = setTimeout(toPage, REST_MS);
    },
    get resting() { return resting !== 0; },
    heard: () => asker.heard(),
    poll(ms = wants()) {
      clearTimeout(timer);
      if (isOver) return;
      if (ms === null) {
        if (isBehind && !resting && !atRest) tell({ poll: Math.random() }, false); // what is below the picture is whole now, too
        return;
      }
      timer = setTimeout(() => {
        if (wants() === null) return;
        if (document.hidden || busy() || (asked && performance.now() - asked < LOST_MS)) return self.poll(WAIT_MS);
        tell({ poll: Math.random() }, asker.isOpen());
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
// question is given up. done(report, bytes, isLate, isLast): with the answer, or null where there is none, and whether no
// report waited for it.
function asking(where, done) {
  let current = null, next = null, said = 0, closed = "";
  async function ask(report) {
    if (current && !current.report.poll) {
      if (!report.poll) next = report;
      return;
    }
    current?.control.abort();
    const mine = (current = { report, control: new AbortController(), said });
    const lost = setTimeout(() => mine.control.abort(), LOST_MS);
    const path = where();
    const { bytes, isServed } = await answerTo(path, report, mine.control.signal);
    clearTimeout(lost);
    if (current !== mine) return;
    current = null;
    if (!isServed) closed = path;
    const isLate = () => report.poll !== undefined && said !== mine.said;
    const follows = next;
    next = null;
    done(report, bytes, isLate, follows === null);
    if (follows) ask(follows);
  }
  const stop = () => {
    current?.control.abort();
    current = next = null;
  };
  const heard = () => {
    said += 1;
    if (current?.report.poll) stop();
  };
  return { ask, heard, stop, isOpen: () => where() !== "" && where() !== closed };
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
