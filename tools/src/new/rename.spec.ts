import { describe, expect, it } from 'vitest';
import { withoutDemo } from './demo-parts.js';
import { renamed, renamedPath } from './rename.js';
import { nounOf } from './words.js';

const user = nounOf('users');
const item = nounOf('line-items');
const program = (text: string) => renamed(text, 'a.ts', user, item);

describe('a program that is renamed', () => {
  it.each([
    ['new UsersClient(users)', 'new LineItemsClient(lineItems)'],
    ['this.#users.find(user.name)', 'this.#lineItems.find(lineItem.name)'],
    ['parseUserName(userName)', 'parseLineItemName(lineItemName)'],
    ["from './users.client.js'", "from './line-items.client.js'"],
    ["from '@holdfast/proto/user/v1/user'", "from '@holdfast/proto/line_item/v1/line_item'"],
    ["selectFrom('users')", "selectFrom('line_items')"],
    ['interface Tables { users: { name: string } }', 'interface Tables { line_items: { name: string } }'],
    ["@Controller('users') class A {}", "@Controller('line-items') class A {}"],
    ["'GET /users/:name'", "'GET /line-items/:name'"],
    ["'users.get'", "'line-items.get'"],
    ["'users:write'", "'line-items:write'"],
    ["'user-service'", "'line-item-service'"],
    ["'0001_users'", "'0001_line_items'"],
    ['`There is no user named "${user.name}".`', '`There is no line item named "${lineItem.name}".`'],
    ['/** The users, by name. `user.v1.UserService`. {@link UsersRepository.list} */', '/** The line items, by name. `line_item.v1.LineItemService`. {@link LineItemsRepository.list} */'], // prettier-ignore
    ["'event: user\\ndata: {}'", "'event: line-item\\ndata: {}'"],
    ["['alice', 'Alice']", "['first', 'First']"],
  ])('%s', (before, after) => expect(program(before)).toBe(after));

  it.each(['a superuser', 'userland', 'abuser'])('leaves %s alone', (text) =>
    expect(program(`'${text}'`)).toBe(`'${text}'`),
  );

  it.each([
    ['orders', '// an order of a kind. An order, the order', 'vowel'],
    ['invoices', '// an invoice of a kind. An invoice, the invoice', 'vowel'],
    ['units', '// a unit of a kind. A unit, the unit', 'sound of a consonant'],
    ['tickets', '// a ticket of a kind. A ticket, the ticket', 'consonant'],
  ])('has the article of %s: %s', (word, after) => {
    expect(renamed('// a user of a kind. A user, the user', 'a.ts', user, nounOf(word))).toBe(after);
  });
});

describe('other files that are renamed', () => {
  it('are contracts, in which names have underscores', () => {
    const text = 'package user.v1;\n// Users, each a user.\nmessage User {\n  User user = 1; // a user\n}';
    expect(renamed(text, 'a.proto', user, item)).toBe(
      'package line_item.v1;\n// Line items, each a line item.\nmessage LineItem {\n  LineItem line_item = 1; // a line item\n}',
    );
  });

  it('are manifests, in which names have hyphens, but not whom a container runs as', () => {
    const text =
      "users-folder:\n  image: holdfast/user-service:1\n  user: '0:0' # no user\n  volumes: ['users:/users']";
    expect(renamed(text, 'a.yaml', user, item)).toBe(
      "line-items-folder:\n  image: holdfast/line-item-service:1\n  user: '0:0' # no line item\n  volumes: ['line-items:/line-items']",
    );
  });

  it('have their paths renamed', () => {
    expect(renamedPath('proto/user/v1/user.proto', user, item)).toBe('proto/line_item/v1/line_item.proto');
    expect(renamedPath('apps/user-service/src/users/user-name.ts', user, item)).toBe(
      'apps/line-item-service/src/line-items/line-item-name.ts',
    );
  });
});

describe('what only the demo needs', () => {
  it('goes, and with it the imports that nothing else uses', () => {
    const text = `import { a, b } from 'x';
import { c } from 'y';
import type { D, E } from 'z';

export const kept: E = a; // not the demo
const gone: D = b; // demo
// #region demo
c();
// #endregion
`;
    expect(withoutDemo(text, 'a.ts')).toBe(`import { a } from 'x';
import type { E } from 'z';

export const kept: E = a; // not the demo
`);
  });

  it('may be a whole file', () => {
    expect(withoutDemo('// #region demo\nconst a = 1;\n// #endregion\n', 'a.ts')).toBe('');
  });

  it('leaves no gap in the numbers of a contract’s fields', () => {
    const text =
      'message A {\n  string x = 1;\n  // #region demo\n  string y = 2;\n  // #endregion\n  repeated string z = 3;\n}\nmessage B {\n  string x = 1;\n}\n';
    expect(withoutDemo(text, 'a.proto')).toBe('message A {\n  string x = 1;\n  repeated string z = 2;\n}\nmessage B {\n  string x = 1;\n}\n'); // prettier-ignore
  });

  it('leaves a text that has none of it exactly as it is', () => {
    const text = "import { unused } from 'x';\n";
    expect(withoutDemo(text, 'a.ts')).toBe(text);
  });
});
