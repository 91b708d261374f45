/**
 * Blocks of text as members of a gzip file, each with its own length in the header, as BGZF has it (SAM specification, 4.1): a
 * file that ends in the middle gives all whole blocks before, and `zcat` reads it as well.
 */
import { crc32, deflateRaw, inflateRawSync } from 'node:zlib';

/** ID, deflate, FEXTRA, no time, no level, unknown system; 6 bytes extra: "BC", 2 bytes long. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, 0x42, 0x43, 2, 0]);
const HEADER_BYTES = HEADER.length + 2;
const TRAILER_BYTES = 8;
/** The length is a number of 16 bits. */
const MAX_MEMBER_BYTES = 65_536;
/** No block of ours is larger: a file that says so is damaged. */
export const MAX_BLOCK_BYTES = 256 * 1024;

/** Null where it does not fit into a member. The work is done in another thread. */
export async function packMember(text: string): Promise<Buffer | null> {
  const bytes = Buffer.from(text);
  if (bytes.length > MAX_BLOCK_BYTES) return null;
  const packed = await new Promise<Buffer>((resolve, reject) =>
    deflateRaw(bytes, (error, result) => (error === null ? resolve(result) : reject(error))),
  );
  const length = HEADER_BYTES + packed.length + TRAILER_BYTES;
  if (length > MAX_MEMBER_BYTES) return null;
  const member = Buffer.alloc(length);
  HEADER.copy(member);
  member.writeUInt16LE(length - 1, HEADER.length);
  packed.copy(member, HEADER_BYTES);
  member.writeUInt32LE(crc32(bytes), length - TRAILER_BYTES);
  member.writeUInt32LE(bytes.length, length - 4);
  return member;
}

/** The text of the member at `at` and where the next one begins; null where no whole and sound one is there. */
export function unpackMember(file: Buffer, at: number): { readonly text: string; readonly next: number } | null {
  if (file.length - at < HEADER_BYTES + TRAILER_BYTES) return null;
  if (file.compare(HEADER, 0, HEADER.length, at, at + HEADER.length) !== 0) return null;
  const next = at + file.readUInt16LE(at + HEADER.length) + 1;
  if (next > file.length || next < at + HEADER_BYTES + TRAILER_BYTES) return null;
  const length = file.readUInt32LE(next - 4);
  if (length > MAX_BLOCK_BYTES) return null;
  const bytes = inflated(file.subarray(at + HEADER_BYTES, next - TRAILER_BYTES), length);
  if (bytes === null || bytes.length !== length || crc32(bytes) !== file.readUInt32LE(next - TRAILER_BYTES))
    return null;
  return { text: bytes.toString(), next };
}

function inflated(packed: Buffer, length: number): Buffer | null {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, length) });
  } catch {
    // Bytes of a power cut, or of another program: no block.
    return null;
  }
}
