/** Made once: what an error and its stack cost is the backend's, and would hide what a policy costs. */
export const failure = Object.assign(new Error('The backend fails.'), { code: 'EBACKEND' });

/**
 * What every contender calls. `call` is the plain async call that all costs are compared with: a service's method that asks
 * a client, which waits for one event, the cheapest that Node has. With `atOnce` it waits for none, which no call that
 * leaves the process can do: it shows the policies' cost most, and their share of a real call least.
 */
export function backend({ atOnce = false } = {}) {
  const state = { failing: false };

  async function getUser(request) {
    if (!atOnce) await new Promise(setImmediate);
    if (state.failing) throw failure;
    return { name: request.name };
  }

  async function call(name) {
    const user = await getUser({ name });
    return { message: user.name };
  }
  return { state, call };
}
