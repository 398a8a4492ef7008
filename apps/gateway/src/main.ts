import { runService } from '@holdfast/service';
import { AppModule } from './app.module.js';

await runService(AppModule, { name: 'gateway', http: true });
