import { Resilience, Resilient } from '../../../libs/resilience/dist/index.js';
import { adopt } from '../../../libs/resilience/dist/resilient.js';
import { decorate } from '../../hop/decorate.mjs';
import { options } from './holdfast.mjs';

export { context } from './holdfast.mjs';

const resilience = new Resilience();
let names = 0;

/** The same by decorator. The object gets its policies as Nest's factories' do; there is no container in the bench. */
export function make({ call, tolerant, fallback }) {
  class Users {
    getUser(name) {
      return call(name);
    }
  }
  decorate(Users, 'getUser', (target, key, descriptor) => {
    Resilient(`users.get.${names++}`, options({ tolerant, fallback }))(target, key, descriptor);
    Object.defineProperty(target, key, descriptor);
  });
  const users = new Users();
  adopt(users, resilience);
  return { run: (name) => users.getUser(name) };
}
