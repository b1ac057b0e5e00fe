/** strftime of the C library in the C locale, for a local time. */
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

const dayOfYear = (at: Date): number =>
  Math.round((Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) - Date.UTC(at.getFullYear(), 0, 1)) / 86_400_000);

/** The week of the year that begins with this day of the week. */
const week = (at: Date, first: 0 | 1): number => Math.floor((dayOfYear(at) + 7 - ((at.getDay() + 7 - first) % 7)) / 7);

/** Year and week as ISO 8601 counts them: those of the Thursday of the same week. */
function isoWeek(at: Date): readonly [year: number, week: number] {
  const thursday = new Date(at.getFullYear(), at.getMonth(), at.getDate() + 3 - ((at.getDay() + 6) % 7));
  return [thursday.getFullYear(), Math.floor(dayOfYear(thursday) / 7) + 1];
}

const hour12 = (at: Date): number => at.getHours() % 12 || 12;
const half = (at: Date): string => (at.getHours() < 12 ? 'AM' : 'PM');

/** Value, and the width and filler that it has unless told otherwise. */
type Part = readonly [value: number | string, width?: number, fill?: string];

const PARTS: Readonly<Record<string, (at: Date) => Part>> = {
  a: (at) => [DAYS[at.getDay()]!.slice(0, 3)],
  A: (at) => [DAYS[at.getDay()]!],
  b: (at) => [MONTHS[at.getMonth()]!.slice(0, 3)],
  B: (at) => [MONTHS[at.getMonth()]!],
  c: (at) => [strftime(at, '%a %b %e %H:%M:%S %Y')],
  C: (at) => [Math.floor(at.getFullYear() / 100), 2],
  d: (at) => [at.getDate(), 2],
  D: (at) => [strftime(at, '%m/%d/%y')],
  e: (at) => [at.getDate(), 2, ' '],
  f: (at) => [at.getMilliseconds() * 1000, 6],
  F: (at) => [strftime(at, '%Y-%m-%d')],
  g: (at) => [isoWeek(at)[0] % 100, 2],
  G: (at) => [isoWeek(at)[0]],
  h: (at) => [MONTHS[at.getMonth()]!.slice(0, 3)],
  H: (at) => [at.getHours(), 2],
  I: (at) => [hour12(at), 2],
  j: (at) => [dayOfYear(at) + 1, 3],
  k: (at) => [at.getHours(), 2, ' '],
  l: (at) => [hour12(at), 2, ' '],
  m: (at) => [at.getMonth() + 1, 2],
  M: (at) => [at.getMinutes(), 2],
  n: () => ['\n'],
  p: (at) => [half(at)],
  P: (at) => [half(at).toLowerCase()],
  r: (at) => [strftime(at, '%I:%M:%S %p')],
  R: (at) => [strftime(at, '%H:%M')],
  s: (at) => [Math.floor(at.getTime() / 1000)],
  S: (at) => [at.getSeconds(), 2],
  t: () => ['\t'],
  T: (at) => [strftime(at, '%H:%M:%S')],
  u: (at) => [at.getDay() || 7],
  U: (at) => [week(at, 0), 2],
  V: (at) => [isoWeek(at)[1], 2],
  w: (at) => [at.getDay()],
  W: (at) => [week(at, 1), 2],
  x: (at) => [strftime(at, '%m/%d/%y')],
  X: (at) => [strftime(at, '%H:%M:%S')],
  y: (at) => [at.getFullYear() % 100, 2],
  Y: (at) => [at.getFullYear()],
  // A time without a zone, as Python's datetime.now() is.
  z: () => [''],
  Z: () => [''],
  '%': () => ['%'],
};

export function strftime(at: Date, format: string): string {
  return format.replace(
    /%([-_0^#]*)(\d*)([EO]?)(.)/gsu,
    (whole, flags: string, width: string, _locale, code: string) => {
      const part = Object.hasOwn(PARTS, code) ? PARTS[code]!(at) : undefined;
      return part ? shown(part, flags, code, Math.min(Number(width), 1024)) : whole;
    },
  );
}

function shown([value, own = 0, filler]: Part, flags: string, code: string, width: number): string {
  const flag = [...flags].findLast((mark) => '-_0'.includes(mark));
  const unpadded = flag === '-';
  const fill =
    unpadded || flag === '_' ? ' ' : flag === '0' ? '0' : (filler ?? (typeof value === 'number' ? '0' : ' '));
  const padded = String(value).padStart(unpadded ? width : Math.max(width, own), fill);
  if (code === 'P') return padded;
  if (flags.includes('#') && 'pZ'.includes(code)) return padded.toLowerCase();
  return flags.includes('^') || (flags.includes('#') && 'aAbBh'.includes(code)) ? padded.toUpperCase() : padded;
}
