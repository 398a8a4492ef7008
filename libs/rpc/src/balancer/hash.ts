/**
 * A 32-bit hash of a short text, for spreading, not against attackers.
 * Algorithm: FNV-1a (Fowler, Noll, Vo), finished by MurmurHash3's `fmix32` (Appleby), without which similar texts stay close.
 */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mixed(hash);
}

/** `hash` spread over all 32 bits, as an unsigned number. */
export function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
