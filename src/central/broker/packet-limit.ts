/** Packets that are longer than any of ours end the connection before they are taken in. */
import type { Socket } from 'node:net';
import type { Client } from 'aedes';

/** A batch of events has up to 256 KiB. */
export const MAX_PACKET_BYTES = 512 * 1024;
/** From whoever has not said yet who it is. */
export const MAX_FIRST_BYTES = 16 * 1024;

interface Parser {
  packet: { length: number };
  _parseLength(): boolean;
}

/** The parser of the library has no limit of its own below 256 MB: its step behind the length is where one can be put. */
export function limitPackets(client: Client, socket: Socket): void {
  const parser = Reflect.get(client, '_parser') as Parser;
  const read = parser._parseLength.bind(parser);
  parser._parseLength = () => {
    if (!read()) return false;
    const limit = Reflect.get(client, 'connackSent') === true ? MAX_PACKET_BYTES : MAX_FIRST_BYTES;
    if (parser.packet.length <= limit) return true;
    socket.destroy();
    return false;
  };
}
