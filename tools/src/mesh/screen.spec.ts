import { describe, expect, it } from 'vitest';
import { Screen } from './screen.js';

function shown(target: { isTTY?: boolean }, env: NodeJS.ProcessEnv): string {
  let text = '';
  const screen = new Screen({ ...target, write: (part) => (text += part) }, env);
  screen.reserve(['gateway', 'user-service-1']);
  screen.line('gateway', 'hello');
  return text;
}

describe('Screen', () => {
  it('is plain and aligned where it is no terminal', () => {
    expect(shown({}, {})).toBe('gateway        │ hello\n');
  });

  it('is coloured on a terminal', () => {
    expect(shown({ isTTY: true }, {})).toBe('\u001b[36mgateway       \u001b[0m \u001b[2m│\u001b[0m hello\n');
  });

  it.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('is plain on a terminal with %j', (env) => {
    expect(shown({ isTTY: true }, env)).toBe('gateway        │ hello\n');
  });
});
