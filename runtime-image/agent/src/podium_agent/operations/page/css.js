// Style sheets as text that stands alone, as far as the page itself may read them.
const absolute = (url, base) => {
  try {
    return new URL(url, base).href;
  } catch {
    return url;
  }
};

function ruleText(rule) {
  if (!(rule instanceof CSSImportRule) || !rule.styleSheet) return rule.cssText;
  const inner = sheetText(rule.styleSheet);
  if (inner === null) return rule.cssText;
  const media = rule.media.mediaText;
  return media ? `@media ${media} {\n${inner}\n}` : inner;
}

// Null for a sheet of another origin, which is not the page's to read.
function sheetText(sheet) {
  try {
    const base = sheet.href ?? baseOf(sheet.ownerNode ?? document);
    const text = [...sheet.cssRules].map(ruleText).join('\n');
    return text
      .replace(/url\((["']?)(?!data:|#)([^"')]+)\1\)/g, (_, quote, url) => `url("${absolute(url, base)}")`)
      .replace(/<\/style/gi, '<\\/style');
  } catch {
    return null;
  }
}

const adopted = (root) => [...adoptedIn(root)].map(sheetText).filter(Boolean).join('\n');

function styleElement(text, media) {
  const style = elementMade(document, 'style');
  style.textContent = text;
  if (media) style.media = media;
  return style;
}
