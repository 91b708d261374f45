/** A stored event as a CloudEvent for readers: what went over the wire, and what central knows of it. */
import { encodeEvent } from '../../contract/envelope.ts';
import type { CentralEvent } from '../store/store.ts';

/** Compact JSON text. The data stay the text that was received. `position` is absent until it is contiguous. */
export function cloudEventText(event: CentralEvent): string {
  const position = event.position === null ? '' : `"position":${event.position},`;
  const revoked = event.revoked ? '"revoked":true,' : '';
  return `{${position}${revoked}${encodeEvent(event.agent, event).slice(1)}`;
}
