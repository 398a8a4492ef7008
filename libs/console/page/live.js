import { Methods } from './methods.js';
import { Operator } from './operator.js';
import { mark, say } from './rows.js';
import { LARGE_FLEET, Services } from './services.js';
import { Settings } from './settings.js';
import { Timeline } from './timeline.js';
import { age, timeOfDay, verdictOf } from './words.js';

/** A stream that is silent for so long is broken, whatever the browser thinks of it, in milliseconds. */
const SILENT_MS = 5_000;

const byId = (id) => document.getElementById(id);

const operator = new Operator();
const parts = [new Services(byId('services'), operator), new Methods(operator), new Settings(byId('facts'))];
const timeline = new Timeline();

let heardAt = Date.now();
let stream = connect();

function connect() {
  const source = new EventSource('/live');
  source.addEventListener('state', ({ data }) => {
    heardAt = Date.now();
    show(JSON.parse(data));
  });
  source.addEventListener('news', ({ data }) => timeline.show(JSON.parse(data)));
  return source;
}

function show(state) {
  const { at, self, phase, operable } = state;
  for (const part of parts) part.show(state);
  const { tone, text } = verdictOf(state);
  tell(tone, text);
  const sign = tone === 'good' ? '●' : tone === 'warn' ? '◐' : '✕';
  document.title = `${sign} ${self.name}`;
  say(byId('name'), self.name);
  const zone = self.zone === undefined ? '' : `, zone ${self.zone}`;
  say(byId('who'), `${self.id}${zone}, ${phase}, up ${age(at - self.startedAt)}`);
  say(byId('link'), `live, ${timeOfDay(at)}`);
  byId('operate').hidden = !operable;
  const instances = state.services.reduce((sum, service) => sum + service.count, 0);
  byId('main').classList.toggle('fleet', instances >= LARGE_FLEET);
}

function tell(tone, text) {
  mark(byId('verdict'), 'data-tone', tone);
  say(byId('verdict'), text);
}

setInterval(() => {
  if (Date.now() - heardAt < SILENT_MS) return;
  tell('bad', `No contact with the process since ${timeOfDay(heardAt)}. What is shown is from then.`);
  say(byId('link'), 'tries again');
  document.title = '▲ no contact';
  // A browser gives up for good on some answers, such as that too many pages watch.
  if (stream.readyState === EventSource.CLOSED) stream = connect();
}, 1_000);
