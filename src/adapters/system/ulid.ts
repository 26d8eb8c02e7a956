/** ULIDs: 10 characters of time, 16 of chance; strictly rising within one maker even when the wall clock steps back. */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export interface UlidSource {
  readonly nowMs: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
}

export function createUlid({ nowMs, randomBytes }: UlidSource): () => string {
  let timeMs = -1;
  let chance = 0n;
  return () => {
    const now = nowMs();
    if (now > timeMs) {
      timeMs = now;
      // The top bit stays free, so that counting up within one millisecond cannot overflow.
      chance = toBigint(randomBytes(10)) & ((1n << 79n) - 1n);
    } else {
      chance += 1n;
    }
    return encode(BigInt(timeMs), 10) + encode(chance, 16);
  };
}

function toBigint(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function encode(value: bigint, length: number): string {
  let out = '';
  for (let rest = value; out.length < length; rest >>= 5n) out = ALPHABET.charAt(Number(rest & 31n)) + out;
  return out;
}
