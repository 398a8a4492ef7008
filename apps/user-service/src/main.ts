import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { runService } from '@holdfast/service';
import { AppModule } from './app.module.js';
import { settings } from './settings.js';

await runService(AppModule, { name: 'user-service', rpc: [UserServiceDefinition], settings });
