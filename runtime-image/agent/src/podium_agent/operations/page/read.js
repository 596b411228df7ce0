// What is on the page, as text and in pixels.
const text = () => {
  const body = bodyOf(document) ?? elementOf(document);
  return { url: location.href, title: titleOf(document), text: body?.innerText ?? body?.textContent ?? '' };
};
const size = () => {
  const page = document.scrollingElement ?? elementOf(document);
  return { width: page.scrollWidth, height: page.scrollHeight };
};
