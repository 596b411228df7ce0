console.log("first line of service-worker");
fetch("/first/service-worker");
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
