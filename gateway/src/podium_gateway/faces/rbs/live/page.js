const screen = document.getElementById("screen");
const state = document.getElementById("state");
const dot = document.getElementById("dot");
const again = document.getElementById("again");

// The token stays in the query that this page was opened with; the socket needs the same one.
const target = new URL(document.body.dataset.socket, location.href);
target.protocol = location.protocol === "https:" ? "wss:" : "ws:";
target.host = location.host;
target.search = location.search;

function show(text, name) {
  state.textContent = text;
  dot.className = name;
  document.body.dataset.state = name;
  again.hidden = name !== "ended";
}

function connect() {
  show("connecting", "connecting");
  screen.replaceChildren();
  const rfb = new RFB(screen, target.href, { wsProtocols: ["binary"] });
  rfb.background = "#14161a";
  rfb.scaleViewport = true;
  rfb.clipViewport = false;
  rfb.focusOnClick = true;
  let connected = false;
  rfb.addEventListener("connect", () => {
    connected = true;
    show("connected", "connected");
    rfb.focus();
  });
  rfb.addEventListener("disconnect", () => {
    show(connected ? "session ended" : "no connection to the session", "ended");
  });
  rfb.addEventListener("securityfailure", () => show("the screen refused the connection", "ended"));
}

// A part of noVNC may not arrive: a browser drops what is under way when its machine changes networks.
const RFB = await import("/novnc/core/rfb.js").then(
  (module) => module.default,
  (error) => console.error(error),
);
again.addEventListener("click", RFB ? connect : () => location.reload());
if (RFB) {
  connect();
} else {
  show("the viewer could not be loaded", "ended");
}
