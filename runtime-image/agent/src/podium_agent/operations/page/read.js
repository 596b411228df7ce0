// The document as one piece of HTML, with what it needs inside, as far as the page itself may read it.
const MAX_INLINED = 2000000;
const absolute = (url, base) => {
  try {
    return new URL(url, base).href;
  } catch {
    return url;
  }
};

const cssOf = (sheet) => {
  try {
    const base = sheet.href ?? document.baseURI;
    const text = [...sheet.cssRules].map((rule) => (rule instanceof CSSImportRule && rule.styleSheet ? cssOf(rule.styleSheet) : rule.cssText)).join('\n');
    return text.replace(/url\((["']?)(?!data:|#)([^"')]+)\1\)/g, (_, quote, url) => `url("${absolute(url, base)}")`);
  } catch {
    return null; // of another origin: not the page's to read
  }
};

function pixels(img) {
  if (!img.complete || !img.naturalWidth || img.naturalWidth * img.naturalHeight > MAX_INLINED) return null;
  try {
    const canvas = document.createElement('canvas');
    canvas.width = img.naturalWidth;
    canvas.height = img.naturalHeight;
    canvas.getContext('2d').drawImage(img, 0, 0);
    return canvas.toDataURL();
  } catch {
    return null; // of another origin
  }
}

function inlineElement(live, copy) {
  switch (live.localName) {
    case 'script':
    case 'noscript':
      copy.remove();
      return;
    case 'link': {
      const css = live.sheet ? cssOf(live.sheet) : null;
      if (css !== null) {
        const style = document.createElement('style');
        style.textContent = css;
        if (live.media) style.media = live.media;
        copy.replaceWith(style);
      } else if (live.href) {
        copy.setAttribute('href', live.href);
      }
      return;
    }
    case 'style': {
      const css = live.sheet ? cssOf(live.sheet) : null;
      if (css !== null) copy.textContent = css;
      return;
    }
    case 'img': {
      const source = live.currentSrc || live.src;
      if (source) copy.setAttribute('src', source.startsWith('data:') ? source : (pixels(live) ?? source));
      copy.removeAttribute('srcset');
      return;
    }
    case 'canvas': {
      try {
        const img = document.createElement('img');
        img.src = live.toDataURL();
        img.width = live.width;
        img.height = live.height;
        copy.replaceWith(img);
      } catch {
        return;
      }
      return;
    }
    case 'input':
      if (live.type === 'checkbox' || live.type === 'radio') copy.toggleAttribute('checked', live.checked);
      else if (live.type !== 'password' && live.type !== 'file') copy.setAttribute('value', live.value);
      return;
    case 'textarea':
      copy.textContent = live.value;
      return;
    case 'option':
      copy.toggleAttribute('selected', live.selected);
      return;
    case 'iframe':
    case 'frame': {
      const inner = live.contentDocument;
      if (inner?.documentElement) {
        copy.setAttribute('srcdoc', inlined(inner));
        copy.removeAttribute('src');
      } else if (live.src) {
        copy.setAttribute('src', live.src);
      }
      return;
    }
    case 'a':
      if (live.hasAttribute('href')) copy.setAttribute('href', live.href);
  }
}

function inlineBelow(live, copy) {
  const lives = [...live.querySelectorAll('*')];
  const copies = [...copy.querySelectorAll('*')];
  lives.forEach((el, index) => {
    if (el.shadowRoot) {
      const template = document.createElement('template');
      template.setAttribute('shadowrootmode', 'open');
      const inner = document.createElement('div');
      inner.append(...[...el.shadowRoot.childNodes].map((node) => node.cloneNode(true)));
      const holder = el.shadowRoot;
      inlineBelow(holder, inner);
      const sheets = [...holder.adoptedStyleSheets].map(cssOf).filter(Boolean);
      template.innerHTML = (sheets.length ? `<style>${sheets.join('\n')}</style>` : '') + inner.innerHTML;
      copies[index].prepend(template);
    }
    inlineElement(el, copies[index]);
  });
}

function inlined(doc) {
  const copy = doc.documentElement.cloneNode(true);
  inlineBelow(doc.documentElement, copy);
  const sheets = [...doc.adoptedStyleSheets].map(cssOf).filter(Boolean);
  const head = copy.querySelector('head') ?? copy;
  if (sheets.length) head.insertAdjacentHTML('beforeend', `<style>${sheets.join('\n')}</style>`);
  if (!copy.querySelector('base')) {
    const base = document.createElement('base');
    base.href = doc.baseURI;
    head.prepend(base);
  }
  return doctype(doc) + copy.outerHTML;
}

const doctype = (doc) => (doc.doctype ? `${new XMLSerializer().serializeToString(doc.doctype)}\n` : '');

const html = ({ inline }) => (inline ? inlined(document) : doctype(document) + document.documentElement.outerHTML);
const text = () => ({ url: location.href, title: document.title, text: document.body?.innerText ?? document.documentElement?.textContent ?? '' });
const size = () => {
  const page = document.scrollingElement ?? document.documentElement;
  return { width: page.scrollWidth, height: page.scrollHeight };
};
