import { writeFileSync } from 'node:fs';
import { configPage } from './config-page.js';
import { settingsPage } from './settings-table.js';

const docs = new URL('../../../docs/', import.meta.url);
writeFileSync(new URL('settings.md', docs), await settingsPage());
writeFileSync(new URL('config.md', docs), await configPage());
