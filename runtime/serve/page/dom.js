/** @import { Elements } from './types.js' */

/**
 * @template {keyof Elements} Id
 * @param {Id} id
 */
export const element = (id) => /** @type {Elements[Id]} */ (document.getElementById(id));

/**
 * An element with properties and children.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Partial<HTMLElementTagNameMap[Name]>} properties
 * @param {(Node | string)[]} children
 */
export function make(name, properties, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

/**
 * A small button that copies what `text` returns, and says that it did.
 * @param {string} name
 * @param {() => string} text
 */
export function copyButton(name, text) {
  const button = make('button', { type: 'button', className: 'small', textContent: name });
  button.addEventListener('click', async () => {
    button.textContent = (await copied(text())) ? 'Copied' : 'Not copied';
    setTimeout(() => {
      button.textContent = name;
    }, 2000);
  });
  return button;
}

/**
 * Pages that came without TLS from another machine have no clipboard of their own: they copy what is selected.
 * @param {string} text
 */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const area = make('textarea', { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    return done;
  }
}
