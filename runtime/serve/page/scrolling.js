/** The end of the conversation stays in view while it grows, until the reader scrolls up. */
import { element } from './dom.js';

const [scroll, toEnd] = [element('scroll'), element('toend')];
const NEAR = 40;
let following = true;

export function follow() {
  following = true;
  scroll.scrollTop = scroll.scrollHeight;
  toEnd.hidden = true;
}

const isNearEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
let last = 0;
scroll.addEventListener('scroll', () => {
  const up = scroll.scrollTop < last;
  last = scroll.scrollTop;
  if (isNearEnd()) following = true;
  else if (up) following = false;
  toEnd.hidden = following;
});
const grown = new ResizeObserver(() => {
  if (following) scroll.scrollTop = scroll.scrollHeight;
});
grown.observe(element('column'));
grown.observe(scroll);
toEnd.addEventListener('click', follow);
