/** Chats that are kept in this browser: an item of its storage each, so that pages side by side do not lose each other's. */
/** @import { Chat, Message } from './types.js' */

const PREFIX = 'realizar-chat-';
const MOST = 50;
/** UTF-16 units of one chat; a longer one is not kept beyond that. */
const LONGEST = 500_000;

/** @returns {Chat} */
export const newChat = () => ({
  id: crypto.getRandomValues(new Uint32Array(4)).join('-'),
  time: 0,
  messages: [],
  dropped: 0,
});

/** @param {Chat} chat */
export const titleOf = ({ messages }) => messages[0]?.content.trim().slice(0, 80) || 'Empty';

/** The newest first. What is no chat is passed over. */
export function keptChats() {
  return keys()
    .map((key) => read(key))
    .filter((chat) => chat !== undefined)
    .sort((a, b) => b.time - a.time);
}

/**
 * Returns whether it could be kept. The oldest make room.
 * @param {Chat} chat
 */
export function keep(chat) {
  chat.time = Date.now();
  const text = JSON.stringify(chat);
  if (text.length > LONGEST) return false;
  const others = keptChats().filter(({ id }) => id !== chat.id);
  for (const { id } of others.splice(MOST - 1)) forget(id);
  for (;;) {
    try {
      localStorage.setItem(PREFIX + chat.id, text);
      return true;
    } catch {
      const oldest = others.pop(); // there is no room, or no storage at all
      if (oldest === undefined) return false;
      forget(oldest.id);
    }
  }
}

/** @param {string} id */
export function forget(id) {
  try {
    localStorage.removeItem(PREFIX + id);
  } catch {} // there is no storage: nothing was kept
}

function keys() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return [];
  }
}

/**
 * @param {string} key
 * @returns {Chat | undefined}
 */
function read(key) {
  try {
    const chat = JSON.parse(localStorage.getItem(key) ?? '');
    /** @param {Message} message */
    const isMessage = ({ role, content }) => ['user', 'assistant'].includes(role) && typeof content === 'string';
    const valid = Array.isArray(chat.messages) && chat.messages.length > 0 && chat.messages.every(isMessage);
    const { time, messages, dropped } = chat;
    if (!valid || !Number.isFinite(time) || !Number.isInteger(dropped)) return undefined;
    return { id: key.slice(PREFIX.length), time, messages, dropped };
  } catch {
    return undefined;
  }
}
