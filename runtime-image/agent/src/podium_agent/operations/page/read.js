// What is on the page, as text and in pixels.
const MAX_SAID = 20;
const SAYS = 'h1,[role=alert],[role=status],[role=dialog],[role=alertdialog],[aria-live=polite],[aria-live=assertive],dialog[open],output';
const FIELDS = 'input:not([type=hidden i],[type=search i],[type=submit i],[type=button i],[type=image i]),select,textarea';
const AROUND = 'nav,header,footer,search,[role=search],[role=navigation],[role=banner],[role=contentinfo]';

const drawn = (el) => rendered(el, VISIBLY);

// `innerText`, and of a closed list only what it shows: the engine would give all of its options.
function seenText(el) {
  let text = el.innerText ?? textOf(el) ?? '';
  let from = 0;
  for (const list of queryAll(el, 'select')) {
    if (tagOf(list) !== 'select' || list.multiple || list.size > 1 || !drawn(list)) continue;
    const all = list.innerText.trim();
    const at = all ? text.indexOf(all, from) : -1;
    if (at < 0) continue;
    const chosen = squeeze([...list.selectedOptions].map((one) => one.label).join(' '));
    text = text.slice(0, at) + chosen + text.slice(at + all.length);
    from = at + chosen.length;
  }
  return text;
}

// What the page tells whoever uses it, wherever it stands: its title, messages and dialogs.
function saidNow() {
  const found = [];
  for (const el of queryAll(document, SAYS)) {
    if (found.length >= MAX_SAID) break;
    if (found.some((one) => contains(one, el)) || !drawn(el)) continue;
    found.push(el);
  }
  return found.map((el) => squeeze(seenText(el)).slice(0, 2000).toWellFormed()).filter(Boolean);
}

// Of `text`, a page's, what is not its menu, its search, its header or its footer.
function mainText(text) {
  let from = 0;
  for (const el of queryAll(document, AROUND)) {
    const inside = closest(el, 'article,main,section,dialog') || query(el, 'h1');
    const all = inside || !drawn(el) ? '' : seenText(el).trim();
    const at = all ? text.indexOf(all, from) : -1;
    if (at < 0) continue;
    text = text.slice(0, at) + text.slice(at + all.length);
    from = at;
  }
  return text.trim();
}

const text = ({ parts }) => {
  const body = bodyOf(document) ?? elementOf(document);
  const all = body ? seenText(body) : '';
  const whole = { url: location.href, title: titleOf(document), text: all };
  if (!parts) return whole;
  const form = [...queryAll(document, FIELDS)].some((el) => drawn(el) && !closest(el, AROUND));
  return { ...whole, main: mainText(all), said: saidNow(), form };
};
const size = () => {
  const page = scrollingIn(document) ?? elementOf(document);
  return { width: page?.scrollWidth ?? 0, height: page?.scrollHeight ?? 0 };
};
