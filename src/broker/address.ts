/** What `mqtt.url` may say: one broker or several, as a list or as one text with spaces or commas in between. */
import { z } from 'zod';

/** So many brokers are tried in turn, and no more. */
export const MAX_BROKERS = 16;

const PROTOCOLS: readonly string[] = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];
const EXPECTED = 'a URL that starts with mqtt://, mqtts://, ws:// or wss://';

/** Comes out as one text, its addresses separated by a space each: what the environment can say too. */
export const brokerUrl = z
  .string()
  .or(z.array(z.string()))
  .superRefine((value, context) => {
    const refuse = (message: string, path: number[] = []) => context.addIssue({ code: 'custom', message, path });
    const isList = typeof value !== 'string';
    const parts = isList ? value : brokerAddresses(value);
    if (parts.length === 0) refuse(EXPECTED);
    if (parts.length > MAX_BROKERS) refuse(`at most ${MAX_BROKERS} brokers`);
    for (const [i, part] of parts.entries()) if (!isAddress(part)) refuse(EXPECTED, isList ? [i] : []);
  })
  .transform((value) => (typeof value === 'string' ? brokerAddresses(value) : value).join(' '));

/** The addresses in their order, each once. */
export function brokerAddresses(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((part) => part !== ''))];
}

/** Whether there is another broker to go to. */
export function hasSeveralBrokers(text: string): boolean {
  return brokerAddresses(text).length > 1;
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text) || /[\s,]/.test(text)) return false;
  const { protocol, hostname } = new URL(text);
  return PROTOCOLS.includes(protocol) && hostname !== '';
}
