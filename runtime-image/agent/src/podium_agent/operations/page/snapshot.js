// The document as one piece of HTML that looks the same, with what it needs inside, as far as the page itself may read it.
const MAX_PICTURE = 2000000; // pixels; encoding more would hold the page up
const MAX_PICTURES = 20000000; // characters of all pictures together
const CHANGED = 'script,noscript,link,style,meta,img,source,canvas,input,textarea,option,iframe';
// Stands for `srcdoc` until all is text: a page may have forbidden, by its trusted types, that scripts give one to a frame.
const SRCDOC = `srcdoc-${Math.random().toString(36).slice(2)}`;
let budget = 0;
// Nothing in a document without a window loads, runs or becomes what scripts have defined.
const inertDocument = () => implementationOf(document).createHTMLDocument('');

function pictureOf(width, height, type, draw) {
  if (!width || !height || width * height > MAX_PICTURE || budget <= 0) return null;
  try {
    const url = draw(type);
    budget -= url.length;
    return url;
  } catch {
    return null; // of another origin
  }
}

const encoded = (img) =>
  pictureOf(img.complete && img.naturalWidth, img.naturalHeight, /\.jpe?g\b/i.test(img.currentSrc) ? 'image/jpeg' : 'image/png', (type) => {
    const canvas = elementMade(document, 'canvas');
    canvas.width = img.naturalWidth;
    canvas.height = img.naturalHeight;
    canvas.getContext('2d').drawImage(img, 0, 0);
    return canvas.toDataURL(type, 0.9);
  });

const CHANGES = {
  script: (_, copy) => copy.remove(),
  noscript(live, copy) {
    // Shown where scripts are off, and then to whoever reads the snapshot too.
    const content = rendered(live) ? [...copy.childNodes] : [];
    copy.replaceWith(...content);
  },
  source: (_, copy) => copy.remove(),
  link(live, copy) {
    if (live.disabled) copy.remove();
    const css = live.sheet ? sheetText(live.sheet) : null;
    if (css !== null) copy.replaceWith(styleElement(css, live.media));
    else copy.setAttribute('href', live.href);
  },
  style(live, copy) {
    const css = live.sheet ? sheetText(live.sheet) : null;
    if (css !== null) copy.textContent = css;
  },
  // What would forbid our inlining, say another encoding than the answer's, or lead away.
  meta(live, copy) {
    if (live.httpEquiv || has(live, 'charset')) copy.remove();
  },
  img(live, copy) {
    const source = live.currentSrc || live.src;
    if (source) copy.setAttribute('src', source.startsWith('data:') ? source : (encoded(live) ?? source));
    copy.removeAttribute('srcset');
    copy.removeAttribute('loading');
  },
  canvas(live, copy) {
    // It stays a canvas, for the sheets that mean it by that name.
    const url = pictureOf(live.width, live.height, 'image/png', () => live.toDataURL());
    if (url) copy.setAttribute('style', `${attribute(live, 'style') ?? ''};background:url(${url}) 0 0/100% 100% no-repeat`);
  },
  input(live, copy) {
    if (live.type === 'checkbox' || live.type === 'radio') copy.toggleAttribute('checked', live.checked);
    else if (secret(live)) copy.removeAttribute('value');
    else if (live.type !== 'file') copy.setAttribute('value', live.value);
  },
  textarea(live, copy) {
    copy.textContent = live.value;
  },
  option: (live, copy) => copy.toggleAttribute('selected', live.selected),
  iframe(live, copy) {
    const inner = live.contentDocument;
    if (inner && elementOf(inner)) {
      copy.setAttribute(SRCDOC, inlined(inner));
      copy.removeAttribute('src');
      copy.removeAttribute('srcdoc');
    } else if (live.src) {
      copy.setAttribute('src', live.src);
    }
  },
};

// What says already what it has to.
const UNCHANGED = {
  img(el) {
    const source = el.currentSrc || el.src;
    return !has(el, 'srcset') && !has(el, 'loading') && (!source || (source.startsWith('data:') && source === attribute(el, 'src')));
  },
  input(el) {
    if (el.type === 'checkbox' || el.type === 'radio') return has(el, 'checked') === el.checked;
    if (secret(el)) return !has(el, 'value');
    return el.type === 'file' || el.value === (attribute(el, 'value') ?? '');
  },
  meta: (el) => !el.httpEquiv && !has(el, 'charset'),
  option: (el) => has(el, 'selected') === el.selected,
  source: (el) => tagOf(parentElementOf(el) ?? el) !== 'picture', // what a picture chose is in its img
  textarea: (el) => el.value === textOf(el),
};

function inlineBelow(live, copy, inert) {
  const hosts = [];
  queryAll(live, '*').forEach((el, index) => {
    const shadow = shadowOf(el);
    if (shadow) hosts.push([index, shadow]);
  });
  const copies = hosts.length ? queryAll(copy, '*') : [];
  const pairs = hosts.map(([index, shadow]) => [shadow, copies[index]]);
  const changed = queryAll(copy, CHANGED);
  queryAll(live, CHANGED).forEach((el, index) => UNCHANGED[tagOf(el)]?.(el) || CHANGES[tagOf(el)]?.(el, changed[index]));
  for (const [shadow, host] of pairs) {
    const template = inert.createElement('template');
    template.setAttribute('shadowrootmode', 'open');
    const inner = inert.createElement('div');
    inner.append(...[...shadow.childNodes].map((node) => inert.importNode(node, true)));
    inlineBelow(shadow, inner, inert);
    const css = adopted(shadow);
    template.content.append(...(css ? [styleElement(css)] : []), ...inner.childNodes);
    host.prepend(template);
  }
}

function copied(doc, beginning) {
  const inert = inertDocument();
  const copy = inert.importNode(elementOf(doc), true);
  inlineBelow(elementOf(doc), copy, inert);
  const head = query(copy, 'head') ?? copy;
  const css = adopted(doc);
  if (css) head.append(styleElement(css));
  head.prepend(...beginning);
  return copy.outerHTML;
}

function made(tag, name, value) {
  const el = inertDocument().createElement(tag);
  el.setAttribute(name, value);
  return el;
}

function inlined(doc) {
  if (!elementOf(doc)) return doctypeOf(doc);
  const beginning = [made('meta', 'charset', 'utf-8')];
  if (!query(doc, 'base')) beginning.push(made('base', 'href', baseOf(doc)));
  const text = pieced(doc, beginning) ?? copied(doc, beginning);
  return doctypeOf(doc) + text.replaceAll(` ${SRCDOC}="`, ' srcdoc="');
}

const doctypeOf = (doc) => (doctypeIn(doc) ? `${new XMLSerializer().serializeToString(doctypeIn(doc))}\n` : '');

// The document to be read by a program: without what nobody sees.
function bare(doc) {
  if (!elementOf(doc)) return doctypeOf(doc);
  const copy = inertDocument().importNode(elementOf(doc), true);
  const body = bodyOf(doc);
  const copies = body ? queryAll(query(copy, tagOf(body)), '*') : [];
  const unseen = [];
  const silent = [];
  let gone = null;
  (body ? queryAll(body, '*') : []).forEach((el, index) => {
    if (gone && contains(gone, el)) return;
    if (rendered(el, VISIBLY)) {
      if (tagOf(el) === 'details' && !el.open) silent.push(copies[index]);
    } else if (rendered(el)) {
      silent.push(copies[index]); // what is invisible by style alone may have visible content
    } else if (styleOf(el).display !== 'contents' && tagOf(el) !== 'slot') {
      gone = el;
      unseen.push(copies[index]);
    }
  });
  for (const el of silent) for (const child of [...childNodesOf(el)]) if (typeOf(child) === Node.TEXT_NODE) child.remove();
  for (const el of unseen) el.remove();
  const secrets = 'input[type=password i][value],input[autocomplete*=password i][value]';
  for (const field of queryAll(copy, secrets)) field.removeAttribute('value');
  return doctypeOf(doc) + copy.outerHTML;
}

function html({ inline }) {
  budget = MAX_PICTURES;
  if (!inline) return bare(document).toWellFormed();
  // An XML document, an SVG picture for one, stands alone already.
  if (contentTypeOf(document) !== 'text/html') return new XMLSerializer().serializeToString(document).toWellFormed();
  return inlined(document).toWellFormed();
}
