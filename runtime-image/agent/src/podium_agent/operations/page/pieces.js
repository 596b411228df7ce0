// The snapshot of a document that has neither shadow trees nor adopted sheets, as most have not: its own HTML as text, in which the few
// elements that have to say something else are replaced. Every place where such an element might begin is held against the
// next one of the document, so that no comment and no script is taken for one; where they disagree, there is no answer.
const BEGINS =
  /<(!--|(?:canvas|head|iframe|img|input|link|meta|noembed|noframes|noscript|option|plaintext|script|source|style|template|textarea|xmp)(?=[\s/>]))/g;
const LEFT_ALONE = words('noembed noframes plaintext template xmp'); // with all that is inside
const FOLLOWED = new Set([...CHANGED.split(','), 'head', ...LEFT_ALONE]);

// An element in the words of its copy. No document shows that one, so it loads and runs nothing.
function reworded(el, inert, change) {
  const holder = inert.createElement('div');
  const copy = inert.importNode(el, change !== null);
  holder.append(copy);
  change?.(el, copy);
  return holder.innerHTML;
}

// The elements that are looked for in the text, or null where one has a shadow tree. In one walk, since two queries take ten times as long.
function followedIn(doc) {
  const walker = walkerOf(doc, elementOf(doc), NodeFilter.SHOW_ELEMENT);
  const found = [];
  for (let el = elementOf(doc); el; el = walker.nextNode()) {
    if (shadowOf(el)) return null;
    if (FOLLOWED.has(tagOf(el))) found.push(el);
  }
  return found;
}

function pieced(doc, beginning) {
  const elements = adoptedIn(doc).length ? null : followedIn(doc);
  if (!elements) return null;
  const text = elementOf(doc).outerHTML;
  const comments = walkerOf(doc, elementOf(doc), NodeFilter.SHOW_COMMENT);
  const inert = inertDocument();
  const pieces = [];
  let index = 0;
  let done = 0;
  let headed = false;
  BEGINS.lastIndex = 0;
  for (let found; (found = BEGINS.exec(text)); ) {
    const at = found.index;
    const el = found[1] === '!--' ? comments.nextNode() : elements[index++];
    let whole;
    let piece = null;
    if (found[1] === '!--') {
      whole = el && `<!--${el.data}-->`;
    } else if (!el || tagOf(el) !== found[1]) {
      return null;
    } else if (found[1] === 'head') {
      whole = reworded(el, inert, null).slice(0, -'</head>'.length);
      piece = whole + beginning.map((one) => one.outerHTML).join('');
      headed = !headed;
      if (!headed) return null;
    } else if (LEFT_ALONE.has(found[1])) {
      whole = el.outerHTML;
    } else if (UNCHANGED[found[1]]?.(el)) {
      continue;
    } else {
      whole = el.outerHTML;
      piece = reworded(el, inert, CHANGES[found[1]]);
    }
    if (!whole || !text.startsWith(whole, at)) return null;
    if (piece !== null) pieces.push(text.slice(done, at), piece);
    BEGINS.lastIndex = at + whole.length;
    if (piece !== null) done = BEGINS.lastIndex;
  }
  if (index < elements.length || comments.nextNode() || !headed) return null;
  pieces.push(text.slice(done));
  return pieces.join('');
}
