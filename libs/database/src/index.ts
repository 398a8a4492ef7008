export { DatabaseModule, type DatabaseOptions } from './database.module.js';
export { openDatabase } from './database.js';
export { migrate, type Migrations } from './migrate.js';
