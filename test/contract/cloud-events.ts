/** CloudEvents 1.0.2 in its JSON format, read strictly: what is wrong with an event, or null. */
const REQUIRED = ['id', 'source', 'specversion', 'type'];
const CONTROLS = /\p{Cc}|\p{Noncharacter_Code_Point}/u;
/** RFC 3339, section 5.6. */
const TIME =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
/** RFC 3986, as far as its characters go. */
const URI_REFERENCE = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const INT32 = 2 ** 31;

export function faultOf(text: string): string | null {
  const event = JSON.parse(text) as Readonly<Record<string, unknown>>;
  for (const name of REQUIRED) if (typeof event[name] !== 'string' || event[name] === '') return `no ${name}`;
  if (event.specversion !== '1.0') return 'specversion';
  for (const [name, value] of Object.entries(event)) {
    if (name === 'data') continue;
    if (name === 'data_base64') return 'both data and data_base64';
    if (!/^[a-z0-9]+$/.test(name)) return `name of ${name}`;
    if (name.length > 20) return `length of ${name}`;
    const fault = faultOfValue(value);
    if (fault !== null) return `${name}: ${fault}`;
  }
  const { source, subject, time, dataschema, datacontenttype } = event;
  if (!URI_REFERENCE.test(String(source))) return 'source is no URI reference';
  if (subject !== undefined && (typeof subject !== 'string' || subject === '')) return 'subject';
  if (time !== undefined && (typeof time !== 'string' || !TIME.test(time))) return 'time';
  if (
    dataschema !== undefined &&
    !(/^[a-z][a-z0-9+.-]*:/i.test(String(dataschema)) && URI_REFERENCE.test(String(dataschema)))
  )
    return 'dataschema is no URI';
  return datacontenttype === undefined || datacontenttype === 'application/json' ? null : 'datacontenttype';
}

/** Boolean, Integer or String are the types that JSON shows. */
function faultOfValue(value: unknown): string | null {
  switch (typeof value) {
    case 'boolean':
      return null;
    case 'number':
      return Number.isInteger(value) && value >= -INT32 && value < INT32 ? null : 'no integer of 32 bits';
    case 'string':
      if (value === '') return 'an empty text';
      return CONTROLS.test(value) || !value.isWellFormed() ? 'characters that no text may have' : null;
    default:
      return 'no type of CloudEvents';
  }
}
