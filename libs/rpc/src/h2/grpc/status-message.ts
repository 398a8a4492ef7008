/** `message` as `grpc-message` has it: UTF-8, with all but printable ASCII, and the percent sign, as percent codes. */
export function encodeStatusMessage(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  return encodeURI(message).replaceAll('%20', ' ');
}

/** The message in a `grpc-message`. What is no percent code stays as it is: a strange message is better than none. */
export function decodeStatusMessage(text: string): string {
  if (!text.includes('%')) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text[at] === '%' ? Number.parseInt(text.slice(at + 1, at + 3), 16) : NaN;
    if (Number.isNaN(code) || !/^[\da-f]{2}$/i.test(text.slice(at + 1, at + 3))) {
      bytes.push(text.charCodeAt(at) & 0xff);
    } else {
      bytes.push(code);
      at += 2;
    }
  }
  return Buffer.from(bytes).toString();
}
