import { element, say } from './rows.js';

/** How long a press waits for the second one that makes it count, in milliseconds. */
const SURE_MS = 5_000;

const byId = (id) => document.getElementById(id);

/** Who has shown the token: sends actions, and says what came of them. The token is kept nowhere but here. */
export class Operator {
  #token = '';

  constructor() {
    const dialog = byId('unlock');
    byId('operate').addEventListener('click', () => (this.#token ? this.#lock() : dialog.showModal()));
    byId('unlock-cancel').addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      byId('token').value = '';
      say(byId('unlock-said'), '');
    });
    dialog.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#unlock(byId('token').value);
    });
    byId('change').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#change(byId('change-value').value);
    });
    byId('change-unset').addEventListener('click', () => {
      if (byId('change').reportValidity()) void this.#change(null);
    });
    byId('change-key').addEventListener('input', () => this.#hint());
  }

  /** Does an action and says what came of it. @returns {Promise<boolean>} whether it was done */
  async act(name, body, done) {
    const { ok, answer } = await this.#ask(`/actions/${name}`, { method: 'POST', body: JSON.stringify(body) });
    this.#tell(ok ? (answer.said ?? done) : answer.detail);
    return ok;
  }

  async #ask(path, init = {}) {
    const headers = {
      authorization: `Bearer ${this.#token}`,
      'x-holdfast-action': '1',
      'content-type': 'application/json',
    };
    try {
      const response = await fetch(path, { ...init, headers, cache: 'no-store' });
      return { ok: response.ok, answer: await response.json() };
    } catch {
      return { ok: false, answer: { detail: 'The process does not answer.' } };
    }
  }

  async #unlock(token) {
    this.#token = token;
    const { ok, answer } = await this.#ask('/actions/settings');
    if (!ok) {
      this.#token = '';
      return say(byId('unlock-said'), answer.detail);
    }
    this.#offer(answer);
    document.body.classList.add('operating');
    say(byId('operate'), 'Stop operating');
    byId('unlock').close();
    this.#tell('You may act now. Everything you do is logged.');
  }

  #lock() {
    this.#token = '';
    document.body.classList.remove('operating');
    say(byId('operate'), 'Operate …');
    this.#tell('');
  }

  #settings = new Map();

  #offer(settings) {
    this.#settings = new Map(settings.map((setting) => [setting.key, setting]));
    byId('change-keys').replaceChildren(...settings.map(({ key }) => element('option', { value: key })));
    this.#hint();
  }

  #hint() {
    const setting = this.#settings.get(byId('change-key').value);
    const now = setting && `${setting.key} is ${JSON.stringify(setting.value)} (${setting.from}). ${setting.meaning}`;
    say(
      byId('change-hint'),
      now ?? 'A value is written as YAML, judged before it is written, and kept in the history.',
    );
  }

  async #change(value) {
    const key = byId('change-key').value;
    if (!(await this.act('set', { key, value }, ''))) return;
    const { ok, answer } = await this.#ask('/actions/settings');
    if (ok) this.#offer(answer);
  }

  #tell(text) {
    say(byId('said'), text);
  }
}

/** A button that wants to be pressed twice. @param {() => void} act */
export function sureButton(act) {
  const button = element('button', { type: 'button' });
  let armed = 0;
  const disarm = () => {
    clearTimeout(armed);
    armed = 0;
    button.classList.remove('sure');
    say(button, button.dataset.label);
  };
  button.addEventListener('click', () => {
    if (armed) {
      disarm();
      act();
      return;
    }
    button.classList.add('sure');
    say(button, `Really ${button.dataset.label.toLowerCase()}?`);
    armed = setTimeout(disarm, SURE_MS);
  });
  button.addEventListener('blur', () => armed && disarm());
  return {
    button,
    label(text) {
      button.dataset.label = text;
      if (!armed) say(button, text);
    },
  };
}
