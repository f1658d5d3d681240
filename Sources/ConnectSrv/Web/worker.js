// Keeps the page's files, so that it opens while the server is away. The server's own come first.
const cacheName = "mailbox-page";
const files = [
  "/", "/chat.css", "/chat.js", "/client.js", "/demo.js", "/store.js", "/tabs.js", "/view.js",
];

addEventListener("install", (event) => {
  event.waitUntil((async () => {
    await (await caches.open(cacheName)).addAll(files);
    await skipWaiting();
  })());
});

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin || !files.includes(pathname)) return;
  event.respondWith((async () => {
    const cache = await caches.open(cacheName);
    try {
      const answer = await fetch(event.request);
      if (answer.ok) await cache.put(pathname, answer.clone());
      return answer;
    } catch (error) {
      const kept = await cache.match(pathname);
      if (kept) return kept;
      throw error;
    }
  })());
});
