#!/usr/bin/env node
'use strict';

// Checked in, so that `npm ci` can link the command before the first build.
require('../dist/main.js');
