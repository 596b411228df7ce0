// What style sheets write before and after elements.
const MAX_RULES = 3000; // beyond that, asking each element is quicker than reading the sheets
const PSEUDO = /::?(?:before|after)\b/g;
const UNASKABLE = /&|:host|::slotted|::part/; // selectors that mean nothing outside of their sheet
const STRING = /"((?:[^"\\]|\\.)*)"|attr\(([-\w]+)\)/g;

// Before the elements of a document or shadow tree are looked at: note which have attributes that matter, and which may have generated content.
function enter(root) {
  if (memo.entered.has(root)) return;
  memo.entered.add(root);
  for (const el of queryAll(root, MARKS)) memo.marked.add(el);
  for (const el of queryAll(root, ':disabled:not(fieldset),[aria-disabled=true i],[aria-disabled=true i] *')) memo.disabled.add(el);
  noteDecorated(root);
}

// Two computed styles for each element would be a third of the time that a tree takes.
function noteDecorated(root) {
  try {
    let left = MAX_RULES;
    const read = (rules) => [...rules].every(readRule);
    const readRule = (rule) => {
      if (--left < 0) return false;
      const selector = rule.selectorText;
      if (selector === undefined) return read(rule.styleSheet?.cssRules ?? rule.cssRules ?? []);
      // Rules within a style rule mean its elements; only their absence is worth knowing.
      if (rule.cssRules.length && /:before|:after/.test(rule.cssText)) return false;
      if (!/:before|:after/.test(selector) || !rule.style.content) return true;
      if (UNASKABLE.test(selector)) return false;
      queryAll(root, selector.replace(PSEUDO, ':not(x-none)')).forEach((el) => memo.decorated.add(el));
      return true;
    };
    if ([...root.styleSheets, ...adoptedIn(root)].every((sheet) => read(sheet.cssRules))) return;
  } catch {
    // a sheet of another origin, or a selector of another time
  }
  memo.decoratedAll = true;
}

const unescaped = (text) =>
  text.replace(/\\(?:([0-9a-f]{1,6})\s?|(.))/gi, (_, code, other) => (code ? String.fromCodePoint(parseInt(code, 16)) : other));

function generated(el, which) {
  if (!memo.decoratedAll && !memo.decorated.has(el)) return '';
  const style = styleOf(el, which);
  let content = style.content;
  if (!content || content === 'none' || content === 'normal' || style.display === 'none' || style.visibility === 'hidden') return '';
  const spoken = /^(?:[^"/]|"(?:[^"\\]|\\.)*")*\/(.*)$/s.exec(content);
  if (spoken) [, content] = spoken;
  // With a counter or a picture in it, it says nothing.
  if (content.replace(STRING, '').trim()) return '';
  const text = [...content.matchAll(STRING)].map(([, string, name]) => (name ? (attribute(el, name) ?? '') : unescaped(string))).join('');
  return style.display === 'inline' ? text : ` ${text} `;
}
