const screen = document.getElementById("screen");
const state = document.getElementById("state");
const dot = document.getElementById("dot");
const again = document.getElementById("again");
const keys = document.getElementById("keys");
const panel = document.getElementById("clipboard");
const opener = document.getElementById("open-clipboard");
const clip = document.getElementById("text");
const note = document.getElementById("note");

const WAITS = [0.5, 1, 2, 4, 8, 8]; // seconds before each further try
const LASTING = 5000; // milliseconds after which a connection counts as one that worked, and the tries begin anew
const MAX_TEXT = 1 << 20; // bytes of UTF-8 that the browser's clipboard takes
const CONTROL = 0xffe3;
const RETURN = 0xff0d;
const mac = /Mac|iPhone|iPad/.test(navigator.platform);

// The token stays in the query that this page was opened with; the socket and the question below need the same one.
const target = new URL(document.body.dataset.socket, location.href);
target.protocol = location.protocol === "https:" ? "wss:" : "ws:";
target.host = location.host;
target.search = location.search;

let rfb = null;
let socket = null;
let closedWith = 0;

function show(text, name) {
  state.textContent = text;
  dot.className = name;
  document.body.dataset.state = name;
  again.hidden = name !== "ended";
}

// noVNC makes the socket itself. Its binary frames are noVNC's, its text frames the clipboard's, so we look at them first.
globalThis.WebSocket = new Proxy(WebSocket, {
  construct(made, args) {
    socket = new made(...args);
    socket.addEventListener("message", (event) => {
      if (typeof event.data === "string") {
        event.stopImmediatePropagation();
        copied(event.data);
      }
    });
    socket.addEventListener("close", (event) => (closedWith = event.code));
    return socket;
  },
});

// --- Connecting, and again with pauses before it gives up

async function sessionIsOver() {
  const url = new URL(document.body.dataset.session, location.href);
  url.search = location.search;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10000) });
    return answer.status === 404 || (answer.ok && !["creating", "running"].includes((await answer.json()).status));
  } catch {
    return false; // nobody answers: that says nothing of the session
  }
}

async function lost(wasConnected, tries) {
  rfb = null;
  if (closedWith === 1000) {
    show("session ended", "ended"); // its last word
    return;
  }
  show(wasConnected ? "connection lost" : "no connection yet", "connecting");
  if (await sessionIsOver()) {
    show("session ended", "ended");
  } else if (tries >= WAITS.length) {
    show("no connection to the session", "ended");
  } else {
    show(`no connection, trying again (${tries + 1} of ${WAITS.length})`, "connecting");
    setTimeout(connect, WAITS[tries] * 1000, tries + 1);
  }
}

function connect(tries = 0) {
  if (tries === 0) {
    show("connecting…", "connecting");
  }
  screen.replaceChildren();
  let connectedAt = null;
  rfb = new RFB(screen, target.href, { wsProtocols: ["podium", "binary"] });
  rfb.background = "#14161a";
  rfb.scaleViewport = true;
  rfb.clipViewport = false;
  rfb.focusOnClick = false; // the keys go to a text field, where text from input methods arrives too
  rfb.addEventListener("connect", () => {
    connectedAt = performance.now();
    show("connected", "connected");
    focus();
  });
  rfb.addEventListener("disconnect", () => {
    const lasted = connectedAt !== null && performance.now() - connectedAt > LASTING;
    lost(connectedAt !== null, lasted ? 0 : tries); // one that drops each viewer at once is not tried for ever
  });
  rfb.addEventListener("securityfailure", () => show("the screen refused the connection", "ended"));
}

// --- Keys and text

const pressed = new Map(); // what was sent down for each physical key

function focus() {
  keys.focus({ preventScroll: true });
}

function isDown(...keysyms) {
  return [...pressed.values()].some((each) => keysyms.includes(each));
}

function sent(keysym, code) {
  if (mac && (code === "MetaLeft" || code === "MetaRight")) {
    return CONTROL; // where a Mac has Command, the browser over there has Control
  }
  const letter = /^Key([A-Z])$/.exec(code);
  const foreign = keysym > 0xff && (keysym < 0xfe00 || keysym >= 0x1000000);
  if (letter && foreign && isDown(CONTROL, 0xffe4, 0xffe9)) {
    return letter[1].toLowerCase().charCodeAt(0); // a shortcut is the key, whatever letter it has
  }
  return keysym;
}

function onKey(keysym, code, down) {
  if (!down) {
    rfb?.sendKey(pressed.get(code) ?? keysym, code, false);
    pressed.delete(code);
  } else if (keysym) {
    const key = sent(keysym, code);
    rfb?.sendKey(key, code, true);
    pressed.set(code, key);
    if (mac && isDown(CONTROL) && key !== CONTROL) {
      onKey(key, code, false); // a Mac tells of no release while Command is down
    }
  }
}

function type(text) {
  for (const letter of text.replaceAll("\r\n", "\n")) {
    const point = letter.codePointAt(0);
    rfb?.sendKey(letter === "\n" ? RETURN : point < 0x100 ? point : 0x1000000 + point, null);
  }
}

function isPaste(event) {
  const control = mac ? event.metaKey : event.ctrlKey;
  return (control && !event.altKey && event.code === "KeyV") || (event.shiftKey && event.code === "Insert");
}

function onKeyDown(event) {
  if (event.target !== keys) {
    return;
  }
  offer();
  if (isPaste(event)) {
    chord = event.code === "Insert" ? 0xff63 : "v".charCodeAt(0);
    event.stopImmediatePropagation(); // the browser makes it a paste event, which may read the clipboard without being asked
  } else if (event.isComposing || event.keyCode === 229 || event.key === "Dead" || event.key === "Process") {
    event.stopImmediatePropagation(); // an input method has it; its text comes by itself
  }
}

window.addEventListener("keydown", onKeyDown, true);
keys.addEventListener("compositionend", (event) => {
  type(event.data);
  keys.value = "";
});
keys.addEventListener("input", (event) => {
  if (!event.isComposing && event.inputType !== "insertCompositionText") {
    type(event.data ?? keys.value); // of an emoji picker, a keyboard on a screen, dictation
    keys.value = "";
  }
});
screen.addEventListener("pointerdown", () => setTimeout(focus), true);

// --- The clipboard, both ways

let chord = null; // the key of a paste that was begun by keys
let fromBrowser = null; // the last text that was copied over there
let toOffer = null; // the same, while our own clipboard has not taken it

function copied(text) {
  fromBrowser = toOffer = text;
  clip.value = text;
  offer();
}

async function offer() {
  const text = toOffer;
  if (text === null) {
    return;
  }
  try {
    await navigator.clipboard.writeText(text);
    if (toOffer === text) {
      toOffer = null;
    }
    say("copied");
  } catch {
    // Not allowed, not in a secure page, or not in front: tried again at the next key or click, and it is in the panel.
    say("copied over there: click here for the text");
  }
}

function paste(text, key = null) {
  if (new TextEncoder().encode(text).length > MAX_TEXT) {
    say("too long to paste: more than 1 MiB");
    return;
  }
  if (text && text !== fromBrowser) {
    // What comes from there is there already, perhaps with more than its text.
    fromBrowser = null;
    if (socket?.protocol === "podium" && socket.readyState === WebSocket.OPEN) {
      socket.send(text);
    }
  }
  if (key !== null) {
    rfb?.sendKey(key, null);
  } else {
    rfb?.sendKey(CONTROL, null, true);
    rfb?.sendKey("v".charCodeAt(0), null);
    rfb?.sendKey(CONTROL, null, false);
  }
}

let saying = 0;

function say(text) {
  note.textContent = text;
  clearTimeout(saying);
  saying = setTimeout(() => (note.textContent = ""), 8000);
}

keys.addEventListener("paste", (event) => {
  event.preventDefault();
  paste(event.clipboardData.getData("text/plain"), chord);
  chord = null;
});
document.getElementById("paste").addEventListener("click", () => {
  paste(clip.value);
  panel.hidden = true;
  opener.setAttribute("aria-expanded", "false");
  focus();
});
document.getElementById("copy").addEventListener("click", () => {
  toOffer = clip.value;
  clip.select();
  document.execCommand("copy"); // also where the page may not use the clipboard by itself
  offer();
});
for (const each of [opener, note]) {
  each.addEventListener("click", () => {
    panel.hidden = each === opener && !panel.hidden;
    opener.setAttribute("aria-expanded", String(!panel.hidden));
    (panel.hidden ? keys : clip).focus();
  });
}
screen.addEventListener("pointerdown", offer, true);

// A part of noVNC may not arrive: a browser drops what is under way when its machine changes networks.
const [RFB, Keyboard] = await Promise.all(["rfb.js", "input/keyboard.js"].map((file) => import(`/novnc/core/${file}`))).then(
  (modules) => modules.map((module) => module.default),
  (error) => {
    console.error(error);
    return [];
  },
);
again.addEventListener("click", () => (RFB ? connect() : location.reload()));
if (RFB) {
  const keyboard = new Keyboard(keys);
  keyboard.onkeyevent = onKey;
  keyboard.grab();
  keys.addEventListener("blur", () => {
    keyboard.ungrab(); // releases what is down
    keyboard.grab();
  });
  connect();
} else {
  show("the viewer could not be loaded", "ended");
}
