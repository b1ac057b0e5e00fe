/**
 * What a model wrote, as elements. It is foreign text: HTML in it is text, images are links, and of what marked makes DOMPurify
 * keeps these elements and attributes alone. The page's policy would not run a script either.
 */
import { copyButton, make } from './dom.js';
import { Marked } from './marked.js';
import DOMPurify from './purify.js';

const ALLOWED = {
  ALLOWED_TAGS:
    'p br hr strong em del code pre blockquote ul ol li h1 h2 h3 h4 h5 h6 table thead tbody tr th td a'.split(' '),
  ALLOWED_ATTR: ['href', 'start', 'align'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};
/** Beyond this the time it takes would show. */
const LONGEST = 100_000;

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => escaped(text),
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
  },
});

/**
 * A fragment. What cannot be read as markdown is shown as it is.
 * @param {string} text
 */
export function elementsOf(text) {
  if (text.length > LONGEST) return plain(text);
  try {
    return finished(DOMPurify.sanitize(marked.parse(text, { async: false }), ALLOWED));
  } catch {
    return plain(text);
  }
}

/** @param {string} text */
function plain(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(make('pre', {}, text));
  return fragment;
}

/**
 * Links open beside the page, which they learn nothing of, and code can be copied.
 * @param {DocumentFragment} fragment
 */
function finished(fragment) {
  for (const link of fragment.querySelectorAll('a')) {
    const href = link.getAttribute('href');
    if (href === null) link.replaceWith(...link.childNodes);
    else Object.assign(link, { target: '_blank', rel: 'noopener noreferrer nofollow', title: href });
  }
  for (const block of fragment.querySelectorAll('pre')) {
    const box = make('div', { className: 'block' });
    block.replaceWith(box);
    box.append(
      block,
      copyButton('Copy code', () => block.textContent ?? ''),
    );
    block.tabIndex = 0; // it scrolls
  }
  return fragment;
}
