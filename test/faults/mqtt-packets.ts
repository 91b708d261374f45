/** Bytes of an MQTT connection as whole packets: what a proxy must know to take single ones out. */

export interface Packets {
  /** The packets that these bytes complete. */
  push(bytes: Buffer): Buffer[];
}

export function createPackets(): Packets {
  let rest: Buffer = Buffer.alloc(0);
  return {
    push(bytes) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const packets: Buffer[] = [];
      for (let size = sizeOf(rest); size !== null && size <= rest.length; size = sizeOf(rest)) {
        packets.push(rest.subarray(0, size));
        rest = rest.subarray(size);
      }
      return packets;
    },
  };
}

/** Bytes of the packet that begins here, header and all; null while the length is not there yet. */
function sizeOf(bytes: Buffer): number | null {
  let length = 0;
  for (let i = 1; i <= 4; i += 1) {
    const byte = bytes[i];
    if (byte === undefined) return null;
    length += (byte & 0x7f) * 128 ** (i - 1);
    if ((byte & 0x80) === 0) return 1 + i + length;
  }
  throw new Error('this is no MQTT');
}

function typeOf(packet: Buffer): number {
  return (packet[0] ?? 0) >> 4;
}

/** PUBACK. */
export function isAcknowledgement(packet: Buffer): boolean {
  return typeOf(packet) === 4;
}

/** PUBLISH with the DUP flag. */
export function isRepeated(packet: Buffer): boolean {
  return typeOf(packet) === 3 && ((packet[0] ?? 0) & 0x08) !== 0;
}
