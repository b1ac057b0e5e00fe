export const element = (id) => document.getElementById(id);

/** An element with properties and children. */
export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A small button that copies what `text` returns, and says that it did. */
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

/** Pages that came without TLS from another machine have no clipboard of their own: they copy what is selected. */
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
    before?.focus();
    return done;
  }
}
