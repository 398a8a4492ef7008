import { Writable } from 'node:stream';
import { gunzipSync } from 'node:zlib';

/** A larger answer is refused, in bytes: some 100,000 instances. */
const MOST_BYTES = 128 * 1_024 * 1_024;

/**
 * An answer's body as it comes in, in one piece for nobody who does not ask: putting a large one together takes
 * milliseconds.
 */
export class ConsulBody extends Writable {
  readonly #chunks: Uint8Array[] = [];
  #received = 0;
  /** Whether what comes in is packed by gzip; known with the answer's headers. */
  isPacked = false;

  /** In bytes, unpacked. */
  get size(): number {
    return this.isPacked ? this.#unpackedSize() : this.#received;
  }

  /** @throws Error where it was packed and cannot be unpacked */
  text(): string {
    return unpacked(this.#chunks, this.isPacked);
  }

  /** The pieces in memory of their own, so that they can be handed over to another thread without being copied again. */
  pieces(): readonly Uint8Array<ArrayBuffer>[] {
    return this.#chunks.map((chunk) => (ownsItsMemory(chunk) ? chunk : Uint8Array.from(chunk)));
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    this.#received += chunk.byteLength;
    done();
  }

  /** What gzip says at the end of what it packed (RFC 1952, ISIZE). */
  #unpackedSize(): number {
    const end = Buffer.concat(this.#chunks.slice(-4)).subarray(-4);
    return end.length === 4 ? end.readUInt32LE() : 0;
  }
}

/** @throws Error where the pieces are packed and cannot be unpacked, or would be too much */
export function unpacked(pieces: readonly Uint8Array[], isPacked: boolean): string {
  const all = Buffer.concat(pieces);
  return (isPacked ? gunzipSync(all, { maxOutputLength: MOST_BYTES }) : all).toString();
}

function ownsItsMemory(chunk: Uint8Array): chunk is Uint8Array<ArrayBuffer> {
  return chunk.buffer instanceof ArrayBuffer && chunk.byteLength === chunk.buffer.byteLength;
}
