// What the pages do wrong, each in one way: `/NAME` does it when it has loaded, and whenever its button is pressed.
const OTHER = origin.replace(...(location.hostname === "localhost" ? ["localhost", "127.0.0.1"] : ["127.0.0.1", "localhost"]));
const make = (tag, more) => Object.assign(document.createElement(tag), more);
const add = (tag, more) => document.body.append(make(tag, more));
const start = () => new Worker(URL.createObjectURL(new Blob([`console.log("worker"); fetch("${origin}/well"); postMessage(1)`])));
const never = () => 0;
const DEEDS = {
    well() {},
    // They go on by themselves.
    moves20() { setInterval(() => location.replace("moves20?" + performance.now()), 20); },
    moves150() { setInterval(() => location.replace("moves150?" + performance.now()), 150); },
    reloads() { setTimeout(() => location.reload(), 60); },
    history() { let n = 0; setInterval(() => n++ < 300 && history.pushState({}, "", "history?" + n), 20); },
    titles() { setInterval(() => document.title = "T" + performance.now(), 20); },
    writes() { setInterval(() => { document.open(); document.write("<h1>written</h1><button id=b>b</button>"); document.close(); }, 200); },
    // They ask.
    alert() { alert("in the way"); },
    alerts() { setInterval(() => alert("again"), 250); },
    confirm() { document.title = String(confirm("sure?")); },
    prompt() { document.title = String(prompt("name?", "nobody")); },
    unload() { onbeforeunload = event => { event.preventDefault(); return "stay"; }; },
    print() { print(); },
    prints() { setInterval(() => print(), 400); },
    auth() { for (const tag of ["img", "iframe"]) add(tag, { src: "secret" }); fetch("secret"); },
    ask() {
        Notification.requestPermission();
        navigator.geolocation.getCurrentPosition(never);
        navigator.clipboard.readText().catch(never);
    },
    media() {
        navigator.mediaDevices.getUserMedia({ audio: true, video: true }).catch(never);
        navigator.requestMIDIAccess({ sysex: true }).catch(never);
    },
    display() { navigator.mediaDevices.getDisplayMedia({ video: true }).catch(never); },
    picker() { showOpenFilePicker().catch(never); },
    file() { document.querySelector("#f").click(); },
    devices() {
        navigator.usb?.requestDevice({ filters: [] }).catch(never);
        navigator.bluetooth?.requestDevice({ acceptAllDevices: true }).catch(never);
    },
    webauthn() { navigator.credentials.get({ publicKey: { challenge: new Uint8Array(32) } }).catch(never); },
    mailto() { location.href = "mailto:nobody@example.com"; },
    selects() { document.querySelector("#s").showPicker(); },
    // They open and close.
    popup() { open("well", "_blank", "width=400,height=300"); },
    popups() { for (const name of ["alert", "closes", "moves150"]) open(name, "_blank", "width=300,height=200"); },
    blank() { const popup = open(); if (popup) { popup.document.write("<h1>written</h1>"); popup.alert("from a popup"); } },
    noopener() { open("well", "_blank", "noopener"); },
    closes() { setTimeout(() => close(), 50); },
    frames() { for (const name of ["moves150", "alert", "closes", "flood"]) add("iframe", { src: `${OTHER}/${name}` }); },
    // They bring files.
    blob() { make("a", { download: "a.txt", href: URL.createObjectURL(new Blob(["abc"])) }).click(); },
    data() { make("a", { download: "d.txt", href: "data:text/plain,abc" }).click(); },
    zip() { location.href = "a.zip"; },
    zips() { setInterval(() => make("a", { download: "", href: "a.zip" }).click(), 300); },
    // They have company.
    workers() { for (let n = 0; n < 3; n++) start(); },
    worker() { setInterval(() => { const one = start(); one.onmessage = () => one.terminate(); }, 200); },
    shared() { new SharedWorker("worker.js"); },
    service() { navigator.serviceWorker.register("worker.js").catch(never); },
    sockets() { new WebSocket("ws://127.0.0.1:9/"); new WebSocket(`${origin.replace("http", "ws")}/well`); new EventSource("half"); },
    // They are too much.
    busy() { setInterval(() => { const end = performance.now() + 1500; while (performance.now() < end); }, 2000); },
    hang() { for (;;); },
    grow() { let n = 0; setInterval(() => n++ < 100 && document.body.insertAdjacentHTML("beforeend", "<p>grown</p>".repeat(100)), 20); },
    flood() { let n = 0; setInterval(() => { if (n++ < 40) for (let m = 0; m < 50; m++) console.log("line", n, m); }, 50); },
    objects() {
        const one = { a: [1, { b: new Map([[1, never]]) }], c: "x".repeat(20000) };
        one.self = one;
        console.log(one, [one], document, null);
    },
    errors() {
        Promise.reject(new Error("nobody"));
        setTimeout(() => { throw { toString() { throw 1; } }; });
        throw new Error("uncaught");
    },
    // They do not hold still.
    shift() { setInterval(() => document.body.prepend(document.querySelector("#b")), 30); },
    scrolls() { document.body.style.height = "9000px"; setInterval(() => scrollTo(0, Math.random() * 8000), 30); },
    full() { document.documentElement.requestFullscreen().catch(never); },
    lock() { document.body.requestPointerLock(); },
    resizes() { resizeTo(300, 200); moveTo(500, 500); },
    // They keep.
    storage() {
        for (const kind of [localStorage, sessionStorage]) { kind.setItem("half", "\ud800"); kind.setItem(`k${Math.random()}`, "v"); }
        document.cookie = `c=${Math.random()}; max-age=1000`;
    },
    clears() { setInterval(() => { localStorage.clear(); localStorage.setItem("at", String(performance.now())); }, 50); },
};
