import { BlockList } from 'node:net';

/** Ranges of addresses, to ask whether one is in them. */
export function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}

export function within(ranges: BlockList, address: string): boolean {
  const plain = plainAddress(address);
  return ranges.check(plain, plain.includes(':') ? 'ipv6' : 'ipv4');
}

/**
 * What a client's requests are counted by: its IPv4 address, or the first 64 bits of an IPv6 address, since whoever has one
 * such address has all that begin so.
 */
export function clientOf(address: string): string {
  const plain = plainAddress(address);
  return plain.includes(':') ? networkOf(plain) : plain;
}

/** IPv4 as it is, also where a socket for both families writes it as IPv6. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  const groups = [...left, ...gap, ...right].slice(0, 4);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':')}::/64`;
}
