/** A stored event for readers: what went over the wire, and what central knows of it. */
import { encodeCloudEvent, encodeEvent } from '../../contract/envelope.ts';
import type { CentralEvent, FusedPlace } from '../store/store.ts';

/**
 * Compact JSON text. The data stay the text that was received. `time` is when it happened; `originaltime`, where it was corrected, what
 * the agent's clock said before it was set. `position` is absent until it is contiguous; `revoked`,
 * `reassignedto`, `correctedby` and `correction` where nothing corrects it; those that begin with `fused` where no place was decided.
 */
export function cloudEventText(event: CentralEvent): string {
  return withKnown(event, encodeCloudEvent(event.agent, event));
}

/** The same with the attributes as agents send them: for our own API, page and commands. */
export function wireEventText(event: CentralEvent): string {
  return withKnown(event, encodeEvent(event.agent, event));
}

function withKnown(event: CentralEvent, text: string): string {
  const { originalTime = null, position, revoked, reassignedTo, correction, fused } = event;
  const known = JSON.stringify({
    ...(originalTime === null ? {} : { originaltime: originalTime }),
    ...(position === null ? {} : { position }),
    ...(revoked ? { revoked } : {}),
    ...(reassignedTo === null ? {} : { reassignedto: reassignedTo }),
    ...(correction === null ? {} : { correctedby: correction.by, correction: correction.reason }),
    ...(fused === undefined ? {} : fusedAttributes(fused)),
  });
  return known === '{}' ? text : `${known.slice(0, -1)},${text.slice(1)}`;
}

/** Attributes of CloudEvents are texts and whole numbers. */
function fusedAttributes({ catId, from, to, confidence, agents }: FusedPlace): Readonly<Record<string, unknown>> {
  return {
    fusedcat: catId,
    ...(from === null ? {} : { fusedfrom: from }),
    fusedto: to,
    ...(confidence === undefined ? {} : { fusedpercent: Math.round(100 * confidence) }),
    fusedagents: agents.join(','),
  };
}
